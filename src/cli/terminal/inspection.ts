import { formatBits, formatCount, formatQuantity, formatSize } from '../../base/format-numbers.js'
import type { Inspection } from '../../jobs/inspect/inspect-model.js'
import { describeHalfLayers } from '../../model/families/find-facts.js'
import { paint } from './color.js'
import { formatTable } from './table.js'

const PARTS = {
  embedding: 'embedding',
  attention: 'attention',
  mixers: 'other mixers',
  mlp: 'MLP',
  norms: 'norms',
  other: 'other, in layers',
  head: 'final norm and head',
} as const

export function formatInspection(inspection: Inspection, { color = false } = {}): string {
  const { model, files } = inspection
  const known = model.title === null ? '' : ` (${model.title})`
  const positions = model.maxPositions === null ? '' : `, ${formatCount(model.maxPositions)} positions`
  const halves = describeHalfLayers(model.family, model.layers)
  const stored = model.checkpointDtype === null ? '' : `, stored as ${model.checkpointDtype}`
  const sections = [
    [
      `model    ${model.id}${model.revision === null ? '' : ` at ${model.revision}`}`,
      ...(model.base === undefined
        ? []
        : [
            `base     ${model.base.id}${model.base.revision === null ? '' : ` at ${model.base.revision}`}, which the adapter is merged into`,
          ]),
      `family   ${model.family}${known}`,
      ...(model.wrapper === null ? [] : [`inside   ${model.wrapper}, of which only this decoder is run, on text`]),
      `size     ${formatQuantity(model.layers, 'layer')}, hidden size ${formatCount(model.hiddenSize)}${positions}${stored}`,
      ...(halves === undefined ? [] : [`layers   ${halves}`]),
      `heads    ${model.heads} query, ${model.kvHeads} key/value, head size ${model.headDim}`,
    ],
    formatParameters(inspection),
    formatTable(
      [
        { title: 'file', align: 'left' },
        { title: 'size', align: 'right' },
      ],
      files.map(({ file, sizeBytes }) => [file, formatSize(sizeBytes)]),
    ).split('\n'),
    formatAnalysis(inspection, color),
  ]
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')
}

function formatParameters({ parameters }: Inspection): string[] {
  if (parameters === null) return []
  const rows = Object.entries(PARTS).flatMap(([part, title]) => {
    const count = parameters[part as keyof typeof PARTS]
    return count === 0 ? [] : [[title, formatCount(count), formatShare(count / parameters.total)]]
  })
  const outside =
    parameters.outside === 0 ? [] : [['outside the decoder, untouched', formatCount(parameters.outside), '']]
  return formatTable(
    [
      { title: 'part', align: 'left' },
      { title: 'parameters', align: 'right' },
      { title: 'share', align: 'right' },
    ],
    [...rows, ['all', formatCount(parameters.total), formatShare(1)], ...outside],
  ).split('\n')
}

function formatAnalysis({ analysis, memory, files }: Inspection, color: boolean): string[] {
  if (!analysis.possible) {
    return [
      paint('bold', `Cannot be analysed: ${analysis.problem}`, color),
      ...(analysis.hint === null ? [] : [`hint: ${analysis.hint}`]),
    ]
  }
  const isGraph = (file: string) => file.endsWith('.onnx')
  const hasOther = !isGraph(analysis.file) && files.some(({ file }) => isGraph(file))
  return [
    paint('bold', `Can be analysed from ${analysis.file}, in ${analysis.dtype}.`, color),
    ...(hasOther ? ['An ONNX graph is present too: --format onnx reads that one.'] : []),
    ...(analysis.packing === null
      ? []
      : [`Weights: ${analysis.packing.form}, ${formatBits(analysis.packing.bits)} each, decoded as they are used.`]),
    `Memory: about ${formatSize(memory!.totalBytes)} for texts of up to ${formatQuantity(memory!.tokens, 'token')}, ${formatSize(memory!.weightsBytes)} of it weights.`,
  ]
}

function formatShare(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}

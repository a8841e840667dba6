import { formatPerplexity, formatQuantity, formatSize } from '../../base/format-numbers.js'
import { describeLayers } from '../../model/layers/names.js'
import type { ExportResult } from '../../results/documents/export-result.js'
import { alignRows } from './pruned.js'

/** What was exported, how its files were checked, and how to run them. */
export function formatExported(result: ExportResult, output: string): string {
  const { model, removed, layers, files, sizeBytes, dryRun } = result
  const without = removed.length === 0 ? '' : ` without ${describeLayers(model.layers, removed)}`
  const written = `${formatQuantity(files.length, 'file')}, ${formatSize(sizeBytes)}`
  return [
    `${model.id}${without}: ${formatQuantity(layers, 'layer')}`,
    ...describeFiles(result),
    dryRun ? `Would write ${written} to ${output}.` : `Wrote ${written} to ${output}.`,
    ...(dryRun ? [] : describeUse(result)),
  ].join('\n')
}

function describeFiles({ exported }: ExportResult): string[] {
  const isChecked = exported.some(({ check }) => check !== null)
  const rows = exported.map(({ dtype, name, sizeBytes, check }) => [
    ...[dtype, name, formatSize(sizeBytes)],
    ...(check === null
      ? []
      : [
          formatPerplexity(check.perplexity.exported),
          formatPerplexity(check.perplexity.source),
          `${check.tokens.same} of ${check.tokens.all}`,
        ]),
  ])
  const head = ['dtype', 'file', 'size', ...(isChecked ? ['perplexity*', 'source', 'same tokens*'] : [])]
  const note = '* of five short texts, as a check of the files; `evaluate` measures quality'
  return [
    ...alignRows([head, ...rows], ['left', 'left', ...head.slice(2).map(() => 'right' as const)]),
    ...(isChecked ? [`  ${note}`] : []),
  ]
}

function describeUse({ to, knownToTransformersJs, model }: ExportResult): string[] {
  if (to === 'gguf' || knownToTransformersJs) return ['README.md in the folder shows how to run it.']
  return [`transformers.js does not know the family ${model.family}: the graphs run in ONNX Runtime.`]
}

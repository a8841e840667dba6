import { basename, resolve } from 'node:path'
import { formatPerplexity, formatSize } from '../../base/format-numbers.js'
import { quoteForShell } from '../../base/quote-for-shell.js'
import { describeLayers } from '../../model/layers/names.js'
import type { ExportResult } from '../../results/documents/export-result.js'
import { formatCode, formatUploadNote, putSectionFirst } from '../write-model/model-card.js'
import { MODELFILE } from './gguf/modelfile.js'

interface CardOptions {
  /** Folder of the model that was exported; undefined if it has none of its own. */
  folder: string | undefined
  isFromHub: boolean
  /** Name of the output folder. */
  name: string
  /** The command that made it. */
  command: string | undefined
}

/**
 * The card of an exported model: the model's own after a section that says what the files are, how they were checked, and
 * how to run them.
 * @throws LayerpruneError if the model's card cannot be read
 */
export async function formatExportCard(result: ExportResult, options: CardOptions): Promise<string> {
  const { model, removed } = result
  return putSectionFirst(options.folder, describeExport(result, options), {
    name: options.name,
    baseModel: options.isFromHub ? model.id : undefined,
    relation: removed.length > 0 ? 'finetune' : 'quantized',
    library: result.to === 'onnx' ? 'transformers.js' : undefined,
    datasets: [],
    results: [],
  })
}

function describeExport(result: ExportResult, { isFromHub, name, command }: CardOptions): string {
  const { model, removed, exported } = result
  const id = isFromHub ? model.id : basename(resolve(model.id))
  const source = isFromHub ? `[${id}](https://huggingface.co/${id})` : `\`${id}\``
  const without = removed.length === 0 ? '' : ` without ${describeLayers(model.layers, removed)}`
  return [
    '# Exported with layerprune',
    `This is ${source}${without} as ${FORMS[result.to]}.`,
    formatTable(exported),
    ...formatUse(result, name),
    ...(command === undefined ? [] : ['Made with:', formatCode(command)]),
    formatUploadNote(name),
    '',
  ].join('\n\n')
}

const FORMS = {
  onnx: 'ONNX graphs that keep what they have read (keys and values, states), for [transformers.js](https://huggingface.co/docs/transformers.js)',
  gguf: 'GGUF, for llama.cpp, Ollama and LM Studio',
}

function formatTable(exported: ExportResult['exported']): string {
  const isChecked = exported.some(({ check }) => check !== null)
  const head = ['dtype', 'file', 'size', ...(isChecked ? ['perplexity*', 'of the source'] : [])]
  const rows = exported.map(({ dtype, name, sizeBytes, check }) => [
    ...[dtype, `\`${name}\``, formatSize(sizeBytes)],
    ...(check ? [check.perplexity.exported, check.perplexity.source].map(formatPerplexity) : []),
  ])
  const table = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
  return isChecked ? `${table}\n\n\\* on five short texts, as a check of the files; no measure of quality` : table
}

function formatUse({ to, exported, files, knownToTransformersJs }: ExportResult, name: string): string[] {
  if (to === 'gguf') {
    const own = formatCode(`llama-cli -m ${quoteForShell(`${name}/${exported[0]!.name}`)}`)
    if (!files.some((file) => file.name === MODELFILE)) return [own]
    const called = quoteForShell(name.toLowerCase())
    const create = `ollama create ${called} -f ${quoteForShell(`${name}/${MODELFILE}`)}`
    return [own, 'In Ollama:', formatCode(`${create}\nollama run ${called}`)]
  }
  if (!knownToTransformersJs) {
    return ['transformers.js does not know this family; the graphs run in ONNX Runtime.']
  }
  const lines = [
    "import { pipeline } from '@huggingface/transformers'",
    '',
    `const generate = await pipeline('text-generation', '${name}', { dtype: '${exported[0]!.dtype}' })`,
    "const [{ generated_text }] = await generate('Once upon a time', { max_new_tokens: 40 })",
  ]
  return [`\`\`\`js\n${lines.join('\n')}\n\`\`\``]
}

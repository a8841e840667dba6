import { basename, resolve } from 'node:path'
import { nameFlag } from '../../base/name-option.js'
import { quoteForShell } from '../../base/quote-for-shell.js'
import { describeLayers } from '../../model/layers/names.js'
import type { CardContent } from '../../results/documents/card-content.js'
import { PLAN_FILE, type Plan } from '../../results/documents/plan.js'
import type { PruneResult } from '../../results/documents/prune-result.js'
import { formatCommand, formatUpload } from '../../results/next-command.js'
import { formatFrontMatter } from './card-metadata.js'
import type { CardMetadata } from './edit-front-matter.js'
import { readCard } from './read-card.js'

export interface CardOptions {
  /** Folder of the model that is pruned; undefined if it has none of its own. */
  folder: string | undefined
  plan: Plan
  /** Whether the plan's model is named by its Hub id; a folder's name may look like one. */
  isFromHub: boolean
  /** Branch, tag or commit that was asked for. */
  revision?: string | undefined
  /** Why the pruned model cannot be shown to be right; undefined if it can. */
  unproven?: string | undefined
  format: PruneResult['format']
  /** Name of the folder of the pruned model. */
  name: string
  content: CardContent
  /** Keys of the front matter that the model's files state. */
  stated?: Record<string, unknown> | undefined
}

const LIBRARIES = { safetensors: 'transformers', onnx: 'transformers.js', gguf: undefined } as const

/**
 * The card of a pruned model: the model's own, kept word for word, after a section that says which layers are gone
 * and how they were chosen. Its front matter is ready for the Hub, and names the model as `base_model` if that is there.
 * @throws LayerpruneError if the model's card cannot be read
 */
export async function formatModelCard(options: CardOptions): Promise<string> {
  const { folder, plan, isFromHub, format, name, content, stated } = options
  return putSectionFirst(folder, describeCut(options), {
    name,
    baseModel: isFromHub ? plan.model.id : undefined,
    relation: 'finetune',
    library: LIBRARIES[format],
    datasets: content.datasets ?? [],
    results: content.results ?? [],
    stated,
  })
}

/**
 * A model's card, kept word for word, after a section that this program writes.
 * @param folder of the model; undefined if it has no card
 * @throws LayerpruneError if the model's card cannot be read
 */
export async function putSectionFirst(
  folder: string | undefined,
  section: string,
  metadata: CardMetadata,
): Promise<string> {
  const { frontMatter, body } = folder === undefined ? { frontMatter: '', body: '' } : await readCard(folder)
  const kept = withoutInstructions(body)
  const rest = kept.trim() === '' ? '' : `\n---\n\n${kept.trimStart()}`
  return `${await formatFrontMatter(frontMatter, metadata)}${section.trimEnd()}\n${rest}`
}

/** Drops usage instructions that an earlier run wrote for a different folder. */
function withoutInstructions(body: string): string {
  return body
    .replaceAll(/To measure it on tasks:\n\n```sh\nlm_eval [^\n]*\n```\n\n?/g, '')
    .replaceAll(/<!-- To publish this folder: [^\n]* -->\n\n?/g, '')
}

function describeCut({ plan, isFromHub, revision, unproven, format, content, ...card }: CardOptions): string {
  const { model, strategy, removed, scores, layerpruneVersion } = plan
  const id = isFromHub ? model.id : basename(resolve(model.id))
  const name = isFromHub ? `[${id}](https://huggingface.co/${id})` : `\`${id}\``
  const layers = describeLayers(model.layers, removed)
  const chosen =
    strategy === 'explicit' ? 'They were named by hand.' : `They were chosen by the strategy \`${strategy}\`.`
  const measured = Object.entries(scores ?? {}).filter(([, value]) => ['number', 'string'].includes(typeof value))
  return [
    '# Pruned with layerprune',
    `This is ${name} without ${layers}: state ${describeJoins(removed)}. ${chosen}`,
    ...(unproven === undefined
      ? []
      : [
          `**Not proven to be right** (\`${nameFlag('unproven')}\`): ${unproven}. Compare its logits with those of the whole model before you use it.`,
        ]),
    ...(measured.length === 0 ? [] : [measured.map(([key, value]) => `- ${key}: ${value}`).join('\n')]),
    ...describeDataset(plan),
    ...(content.sections ?? []),
    `Made with layerprune ${layerpruneVersion}, with the plan in \`${PLAN_FILE}\`:`,
    formatCode(content.command ?? formatPlainCut(id, revision, card.name)),
    ...(format === 'safetensors' ? describeTaskRun(`pretrained=${card.name}`) : []),
    formatUploadNote(card.name),
    '',
  ].join('\n\n')
}

function formatPlainCut(id: string, revision: string | undefined, name: string): string {
  return formatCommand('prune', {
    options: { model: id, revision },
    own: [nameFlag('from'), PLAN_FILE],
    last: ['-o', name],
  })
}

/** How a model is measured on tasks, in Markdown. */
export function describeTaskRun(modelArguments: string): string[] {
  const words = ['lm_eval', '--model', 'hf', '--model_args', modelArguments, '--tasks', 'arc_easy,hellaswag']
  return ['To measure it on tasks:', formatCode(words.map(quoteForShell).join(' '))]
}

/** How a folder is published: said to whoever has the file, not to those who read the card on the Hub. */
export function formatUploadNote(name: string): string {
  return `<!-- To publish this folder: ${formatUpload(name, name)} -->`
}

/** @returns a block of shell code in Markdown */
export function formatCode(command: string): string {
  const fence = command.includes('```') ? '~~~' : '```'
  return `${fence}sh\n${command}\n${fence}`
}

function describeJoins(removed: Plan['removed']): string {
  return removed.map(({ start, end }) => `${start} is read where state ${end} was`).join(', state ')
}

function describeDataset({ dataset }: Plan): string[] {
  if (dataset === undefined) return []
  const { id, samples, tokens } = dataset
  const sizes = [
    ...(typeof samples === 'number' ? [`${samples} texts`] : []),
    ...(typeof tokens === 'number' ? [`${tokens} tokens`] : []),
  ]
  const size = sizes.length > 0 ? ` (${sizes.join(', ')})` : ''
  return [`Measured on \`${id === '-' ? 'standard input' : basename(String(id))}\`${size}.`]
}

import { lstat, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { isScalar, isSeq, parseDocument } from 'yaml'
import type { Plan } from '../documents/plan.js'
import { LayerpruneError } from '../errors.js'
import { formatBlocks } from '../layers/blocks.js'
import { describeLayers } from '../layers/names.js'
import { yamlString } from '../yaml.js'
import { resolveInside } from './companion-files.js'

const CARD = 'README.md'

export interface CardOptions {
  /** Folder of the model that is pruned; undefined if it has none of its own. */
  folder: string | undefined
  plan: Plan
  /** Whether the plan's model is named by its Hub id; a folder's name may look like one. */
  isFromHub: boolean
  /** Why the pruned model cannot be shown to be right; undefined if it can. */
  unproven?: string | undefined
  /** Flags that made it, beside those that name model and layers. */
  flags?: string[] | undefined
  /** What else was done and measured, each a paragraph, list or table in Markdown. */
  sections?: string[] | undefined
}

/**
 * The card of a pruned model: the model's own, kept word for word, after a section that says which layers are gone
 * and how they were chosen. Its front matter names the model as `base_model` if that is on the Hub.
 * @throws LayerpruneError if the model's card cannot be read
 */
export async function formatModelCard(options: CardOptions): Promise<string> {
  const { folder, plan, isFromHub } = options
  return putSectionFirst(folder, describeCut(options), isFromHub ? plan.model.id : undefined)
}

/**
 * A model's card, kept word for word, after a section of ours.
 * @param folder of the model; undefined if it has no card
 * @param baseModel Hub id that the front matter names as `base_model`
 * @throws LayerpruneError if the model's card cannot be read
 */
export async function putSectionFirst(
  folder: string | undefined,
  section: string,
  baseModel: string | undefined,
): Promise<string> {
  const original = folder === undefined ? undefined : await readCard(folder)
  const { frontMatter, body } = splitFrontMatter(original ?? '')
  const rest = body.trim() === '' ? '' : `\n---\n\n${body.trimStart()}`
  return `${formatFrontMatter(frontMatter, baseModel)}${section}${rest}`
}

async function readCard(folder: string): Promise<string | undefined> {
  const isThere = await lstat(join(folder, CARD)).then(
    () => true,
    () => false,
  )
  if (!isThere) return undefined
  const path = await resolveInside(folder, CARD)
  if (!(await stat(path)).isFile()) return undefined
  return readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new LayerpruneError(`cannot read ${join(folder, CARD)}: ${cause.message}`, { cause })
  })
}

function splitFrontMatter(card: string): { frontMatter: string; body: string } {
  const match = /^---\r?\n(.*?)^---[ \t]*\r?\n?/ms.exec(card)
  return match === null
    ? { frontMatter: '', body: card }
    : { frontMatter: match[1]!, body: card.slice(match[0].length) }
}

/** Keeps keys and comments; a front matter that is no YAML mapping, or has aliases that lead nowhere, is kept as it is. */
function formatFrontMatter(frontMatter: string, baseModel: string | undefined): string {
  return `---\n${addMetadata(frontMatter, baseModel) ?? frontMatter}---\n\n`
}

function addMetadata(frontMatter: string, baseModel: string | undefined): string | undefined {
  const document = parseDocument(frontMatter)
  try {
    if (document.errors.length > 0 || !isMappingOrEmpty(document.toJS())) return undefined
    // `...` or `~`, to which no key can be added
    if (isScalar(document.contents)) document.contents = null
    if (baseModel !== undefined) document.set('base_model', yamlString(baseModel))
    const tags = document.get('tags')
    if (!isSeq(tags)) document.set('tags', [...(typeof tags === 'string' ? [tags] : []), 'layerprune'])
    else if (!tags.toJSON().includes('layerprune')) tags.add('layerprune')
    return document.toString({ lineWidth: 0 })
  } catch (cause) {
    if (/alias/.test((cause as Error).message)) return undefined
    throw cause
  }
}

function isMappingOrEmpty(value: unknown): boolean {
  return value === null || value === undefined || (typeof value === 'object' && !Array.isArray(value))
}

function describeCut({ plan, isFromHub, unproven, flags = [], sections = [] }: CardOptions): string {
  const { model, strategy, removed, scores, layerpruneVersion } = plan
  const id = isFromHub ? model.id : basename(model.id)
  const name = isFromHub ? `[${id}](https://huggingface.co/${id})` : `\`${id}\``
  const layers = describeLayers(model.layers, removed)
  const chosen =
    strategy === 'explicit' ? 'They were named by hand.' : `They were chosen by the strategy \`${strategy}\`.`
  const measured = Object.entries(scores ?? {}).filter(([, value]) =>
    ['number', 'string'].includes(typeof value),
  )
  return [
    '# Pruned with layerprune',
    `This is ${name} without ${layers}: state ${describeJoins(removed)}. ${chosen}`,
    ...(unproven === undefined
      ? []
      : [
          `**Not proven to be right** (\`--unproven\`): ${unproven}. Compare its logits with those of the whole model before you use it.`,
        ]),
    ...(measured.length === 0 ? [] : [measured.map(([key, value]) => `- ${key}: ${value}`).join('\n')]),
    ...describeDataset(plan),
    ...sections,
    `Made with layerprune ${layerpruneVersion}: \`layerprune prune --model ${id} --drop ${[formatBlocks(removed), ...flags].join(' ')}\`. The plan is in \`layerprune-plan.json\`.`,
    '',
  ].join('\n\n')
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
  return [`Measured on \`${basename(String(id))}\`${size}.`]
}

import { isObject } from '../../../base/is-object.js'
import { formatTitle, type NameParts, splitName } from './name-parts.js'
import { count, optional, real, type Statements, text, texts, type WrittenValue } from './written-value.js'

/** What the model is that a file holds. */
export interface Identity {
  /** What the file calls it; what its card or its ids say if omitted. */
  name?: string | undefined
  /** Names of the model, such as its Hub id: what one does not say, the next may. At least one. */
  ids: string[]
  /** Whether its card and its names state its size; it is computed otherwise. */
  statesSize: boolean
  /** Front matter of its card. */
  card: Record<string, unknown>
  /** Content of generation_config.json. */
  generation: Record<string, unknown>
  /** What the GGUF file says that the model was read from. */
  kept?: Statements | undefined
}

/** Keys of a card, in the order in which they count. */
const CARD_KEYS: Record<string, string[]> = {
  name: ['name', 'model_name'],
  author: ['author', 'model_author', 'model_creator'],
  version: ['version', 'model_version'],
  organization: ['organization', 'model_organization'],
  description: ['description', 'model_description'],
  finetune: ['finetune', 'model_finetune'],
  basename: ['basename', 'model_basename', 'model_type'],
  size_label: ['size_label', 'model_size_label'],
  'source.url': ['url', 'model_url'],
  'source.doi': ['doi', 'model_doi'],
  'source.uuid': ['uuid', 'model_uuid'],
  'source.repo_url': ['repo_url', 'model_repo_url'],
  'license.name': ['license_name'],
  'license.link': ['license_link'],
}
/** What a card may say of a model or dataset that it names. */
const PARENT_KEYS = [
  ...['name', 'author', 'version', 'organization', 'description'],
  ...['url', 'doi', 'uuid', 'repo_url'],
]
const HUB = 'https://huggingface.co/'

/**
 * States what a model is called, where it comes from and how it is sampled, as llama.cpp's converter does.
 * @param parameters  of the model
 * @param sizeLabel   of the model, if nothing states one
 */
export function stateGeneral(identity: Identity, parameters: number, sizeLabel: string): Statements {
  const { name, kept, card, generation, statesSize } = identity
  const parts = identity.ids.map((id) => splitName(id, parameters))
  const stated = { ...stateCard(card, parameters), ...stateSampling(generation), ...kept }
  const first = (key: keyof NameParts) => optional(parts.map((part) => part[key]).find(Boolean), text)
  return {
    'general.type': text('model'),
    'general.organization': optional(parts.map(({ organization }) => organization).find(Boolean), (value) =>
      text(formatTitle(value)),
    ),
    'general.basename': first('basename'),
    'general.finetune': first('finetune'),
    'general.version': first('version'),
    ...stated,
    'general.name': optional(name, text) ?? stated['general.name'] ?? text(formatTitle(parts[0]!.name)),
    'general.size_label': (statesSize && (stated['general.size_label'] ?? first('sizeLabel'))) || text(sizeLabel),
  }
}

function stateCard(card: Identity['card'], parameters: number): Statements {
  const stated = Object.entries(CARD_KEYS).map(([key, names]) => {
    const value = names.map((name) => card[name]).find(isText)
    return [`general.${key}`, value === undefined ? undefined : text(`${value}`)] as const
  })
  const licenses = listTexts(card.license)
  return {
    ...Object.fromEntries(stated.filter(([, value]) => value !== undefined)),
    'general.license': licenses.length > 0 ? text(licenses.join(',')) : undefined,
    'general.tags': stateTexts(card.tags, card.pipeline_tag),
    'general.languages': stateTexts(card.languages, card.language),
    ...stateParents('base_model', card.base_model ?? card.base_models ?? card.base_model_sources, parameters),
    ...stateParents('dataset', card.datasets ?? card.dataset ?? card.dataset_sources, parameters),
  }
}

function isText(value: unknown): value is string | number {
  return (typeof value === 'string' && value !== '') || typeof value === 'number'
}

function listTexts(value: unknown): string[] {
  return [value].flat().filter(isText).map(String)
}

function stateTexts(...values: unknown[]): WrittenValue | undefined {
  const all = values.flatMap(listTexts)
  return all.length > 0 ? texts(all) : undefined
}

/** The models or datasets that a model was made of. */
function stateParents(kind: string, stated: unknown, parameters: number): Statements {
  const parents = [stated].flat().filter((parent) => isText(parent) || isObject(parent))
  if (parents.length === 0) return {}
  const entries = parents.flatMap((parent, index) =>
    Object.entries(isObject(parent) ? parent : describeParent(`${parent}`, parameters))
      .filter((entry): entry is [string, string | number] => PARENT_KEYS.includes(entry[0]) && isText(entry[1]))
      .map(([key, value]) => [`general.${kind}.${index}.${key}`, text(`${value}`)] as const),
  )
  return { [`general.${kind}.count`]: count(parents.length), ...Object.fromEntries(entries) }
}

/** @param parent  a Hub id, or an address */
function describeParent(parent: string, parameters: number): Record<string, string | undefined> {
  const isAddress = /^(https?|ssh):\/\//.test(parent)
  const id = isAddress ? /^https?:\/\/huggingface\.co\/([^/]+\/[^/]+)$/.exec(parent)?.[1] : parent
  if (id === undefined) return { repo_url: parent }
  const { name, organization, version } = splitName(id, parameters)
  return {
    name: formatTitle(name),
    organization: organization && formatTitle(organization),
    version,
    repo_url: isAddress ? parent : organization && `${HUB}${organization}/${name}`,
  }
}

function stateSampling(generation: Identity['generation']): Statements {
  const number = (...keys: string[]) => keys.map((key) => generation[key]).find((value) => typeof value === 'number')
  const whole = (value: number): WrittenValue => ({ type: 'int32', value: Math.trunc(value) })
  return {
    'general.sampling.top_k': optional(number('top_k'), whole),
    'general.sampling.top_p': optional(number('top_p'), real),
    'general.sampling.min_p': optional(number('min_p'), real),
    'general.sampling.temp': optional(number('temperature'), real),
    'general.sampling.penalty_repeat': optional(number('penalty_repeat', 'repetition_penalty'), real),
  }
}

import { basename } from 'node:path'
import { type Document, isMap, isSeq, parseDocument, YAMLMap } from 'yaml'
import { isObject } from '../../base/is-object.js'
import { yamlNode } from '../../base/yaml.js'
import type { CardResult } from '../../results/documents/card-content.js'

/** Front matter of a card, added to that of the base model's card. */
export interface CardMetadata {
  name: string
  /** Hub id of the model that it was made from; null if that is not on the Hub, undefined if the base's card knows. */
  baseModel: string | null | undefined
  /** Relation to the base in the Hub's terms; a cut is a finetune, the Hub's term for changed weights. */
  relation: 'finetune' | 'adapter' | 'quantized'
  /** The library that loads it; undefined if the Hub can tell from its files. */
  library: 'transformers' | 'transformers.js' | 'peft' | undefined
  /** Datasets that weights were fitted to. */
  datasets: string[]
  results: CardResult[]
  /** Keys that the files of the base state; those of its card come first. */
  stated?: Record<string, unknown> | undefined
}

/** Keys of the base's card that say what the base is and not what becomes of it. */
const OF_BASE_ALONE = ['model-index', 'new_version', 'base_model_relation']

const PIPELINE = 'text-generation'

/**
 * Adds to the front matter of a base's card.
 * @param measured  those datasets of its results that are on the Hub
 * @returns undefined if it is no YAML mapping, or has aliases that lead nowhere
 */
export function addMetadata(base: string, metadata: CardMetadata, measured: string[]): string | undefined {
  // its own warnings would reach the terminal
  const document: Document = parseDocument(base, { logLevel: 'error' })
  try {
    if (document.errors.length > 0 || !isMappingOrEmpty(document.toJS())) return undefined
    // nothing, `...` or `~`, to which no key can be added
    if (!isMap(document.contents)) document.contents = new YAMLMap()
    for (const key of OF_BASE_ALONE) document.delete(key)
    for (const [key, value] of Object.entries(metadata.stated ?? {})) {
      if (!document.has(key)) document.set(key, yamlNode(value))
    }
    setOrigin(document, metadata)
    addToList(document, 'datasets', metadata.datasets)
    addToList(document, 'tags', ['layerprune'])
    if (metadata.results.length > 0) document.set('model-index', yamlNode(listResults(metadata, measured)))
    return document.toString({ lineWidth: 0 })
  } catch (cause) {
    if (/alias/.test((cause as Error).message)) return undefined
    throw cause
  }
}

function setOrigin(document: Document, { baseModel, relation, library }: CardMetadata): void {
  if (baseModel === null) document.delete('base_model')
  else if (baseModel !== undefined) document.set('base_model', yamlNode(baseModel))
  if (document.has('base_model')) document.set('base_model_relation', relation)
  if (library === 'transformers' ? !document.has('library_name') : library !== undefined) {
    document.set('library_name', library)
  }
  if (!document.has('pipeline_tag')) document.set('pipeline_tag', PIPELINE)
}

function addToList(document: Document, key: string, values: string[]): void {
  if (values.length === 0) return
  const list = document.get(key)
  if (!isSeq(list)) {
    document.set(key, yamlNode([...new Set([...(typeof list === 'string' ? [list] : []), ...values])]))
    return
  }
  const known: unknown[] = list.toJSON()
  for (const value of values) if (!known.includes(value)) list.add(yamlNode(value))
}

/** Figures in the form that the Hub shows beside a card. */
function listResults({ name, results }: CardMetadata, onHub: string[]): unknown {
  return [
    {
      name,
      results: results.map(({ dataset, texts, perplexity }) => ({
        task: { type: PIPELINE, name: 'Text generation' },
        dataset: onHub.includes(dataset) ? { name: dataset, type: dataset } : { name: basename(dataset), type: 'text' },
        metrics: [{ type: 'perplexity', name: `Perplexity on ${texts} texts`, value: perplexity }],
      })),
    },
  ]
}

function isMappingOrEmpty(value: unknown): boolean {
  return value === null || value === undefined || isObject(value)
}

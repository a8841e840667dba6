import { readTable } from '../../base/read-table.js'
import { layerOfCache } from '../../model/graph/cache-names.js'
import type { Section } from '../prune/section.js'

/** What transformers.js knows of causal language models. */
interface Facts {
  /** Its class for each family. */
  classes: Record<string, string>
  /** Families whose layers keep different caches: its word for a layer with each set of caches. */
  layerWords: Record<string, Record<string, string>>
  /** Families whose caches it divides otherwise than our graphs do. */
  otherCaches: string[]
}

/** The model as transformers.js sees it. */
export interface KnownModel {
  class: string
  /** What each layer is; undefined if all have the same caches. */
  layerTypes: string[] | undefined
}

function readFacts(): Facts {
  return readTable('transformers-js-4.3')
}

/** Whether transformers.js has a class for a family, and names its caches as our graphs do. */
export function isKnownFamily(family: string): boolean {
  const { classes, otherCaches } = readFacts()
  return Object.hasOwn(classes, family) && !otherCaches.includes(family)
}

/**
 * What transformers.js makes of a family's graph.
 * @param caches  inputs of the graph that hold what was read
 * @returns undefined if it has no class for the family, or would name the caches otherwise
 */
export function findKnownModel(family: string, layers: number, caches: string[]): KnownModel | undefined {
  if (!isKnownFamily(family)) return undefined
  const { classes, layerWords } = readFacts()
  const known = { class: classes[family]!, layerTypes: undefined }
  const words = layerWords[family]
  if (words === undefined) return known
  const layerTypes = Array.from({ length: layers }, (_, layer) => words[nameCaches(caches, layer)])
  return layerTypes.every((word) => word !== undefined) ? { ...known, layerTypes } : undefined
}

/** The kinds of a layer's caches, such as `key value` or `conv ssm`. */
function nameCaches(caches: string[], layer: number): string {
  const kinds = caches
    .filter((name) => layerOfCache(name) === layer)
    .map((name) => name.replace(/^past_(key_values)?|[._]?\d+[._]?/g, ''))
  return kinds.sort().join(' ')
}

/** Makes transformers.js find the class and the caches of a graph in its config, in place. */
export function adaptConfig(config: Section, known: KnownModel): void {
  config.architectures = [known.class]
  // our graphs keep keys and values apart for this too
  delete config.multi_query
  if (known.layerTypes !== undefined) config.layer_types = known.layerTypes
}

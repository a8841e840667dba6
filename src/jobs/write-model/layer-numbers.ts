import { LayerpruneError } from '../../base/errors.js'
import type { Block } from '../../model/layers/block.js'
import { keptSlices } from '../../model/layers/blocks.js'

/** Which layers are kept and what their numbers become. */
export interface KeptLayers {
  /** Layers of the whole model. */
  whole: number
  /** Old numbers of the kept layers, in order: the index is the new number. */
  kept: number[]
}

/** Where the tensors of a model's layers are. */
export interface LayerList {
  /** What their names start with, as `model.layers.`. */
  prefix: string
  /** Layers numbered behind the model's last one, for multi-token prediction: always kept. */
  extraLayers: number
}

/**
 * @throws UsageError if a block does not fit, or if no layer would be kept
 */
export function keepLayers(layers: number, removed: Block[]): KeptLayers {
  const kept = keptSlices(layers, removed).flatMap(({ start, end }) =>
    Array.from({ length: end - start }, (_, index) => start + index),
  )
  return { whole: layers, kept }
}

/** The same cut of a list that has entries for extra layers behind the last one, which are kept. */
export function keepExtraLayers({ whole, kept }: KeptLayers, extraLayers: number): KeptLayers {
  const extra = Array.from({ length: extraLayers }, (_, index) => whole + index)
  return { whole: whole + extraLayers, kept: [...kept, ...extra] }
}

/** A name that holds a layer's number: what comes before it, the number, what comes after. */
const NUMBERED = /^((?:[^.]*[^.\d][^.]*\.)*)(\d+)(\..*)$/

/** The table that a decoder has beside its layers; a tower for images may have as many layers, but no table. */
const EMBEDDING = /(^|\.)(embed_tokens|embed_in|word_embeddings|wte|tok_embeddings)\.weight$/

function isBeside(table: string, layers: string): boolean {
  const parent = table.replace(EMBEDDING, '$1')
  return layers.startsWith(parent) && /^[^.]+\.$/.test(layers.slice(parent.length))
}

/**
 * Finds the tensors of the layers: the one list among all names that has exactly the layers' numbers, or those
 * and the numbers of the layers for multi-token prediction; of several lists the one beside the table of embeddings.
 * The first number in a name counts, so experts are parts of their layer.
 * @param extraLayers layers for multi-token prediction that config.json states, whether they are stored or not
 * @throws LayerpruneError if there is no such list, or more than one
 */
export function findLayers(names: Iterable<string>, layers: number, extraLayers = 0): LayerList {
  const lists = new Map<string, Set<number>>()
  const tables: string[] = []
  for (const name of names) {
    if (EMBEDDING.test(name)) tables.push(name)
    const match = NUMBERED.exec(name)
    if (match === null) continue
    const numbers = lists.get(match[1]!) ?? new Set()
    lists.set(match[1]!, numbers.add(Number(match[2])))
  }
  for (const extra of new Set([0, extraLayers])) {
    const fitting = [...lists].filter(([, numbers]) => countsUpTo(numbers, layers + extra))
    const decoders = fitting.filter(([prefix]) => tables.some((name) => isBeside(name, prefix)))
    const [only, another] = fitting.length > 1 ? decoders : fitting
    if (only !== undefined && another === undefined) return { prefix: only[0], extraLayers: extra }
  }
  const found = [...lists].map(([prefix, numbers]) => `${prefix}N (${numbers.size} of them)`).join(', ')
  throw new LayerpruneError(
    `the tensors of the ${layers} layers cannot be recognised by their names: found ${found || 'no numbered name'}`,
    { hint: 'config.json and weights must be of one decoder whose layers are one numbered list' },
  )
}

function countsUpTo(numbers: Set<number>, count: number): boolean {
  return numbers.size === count && [...numbers].every((number) => number < count)
}

/** A tensor's name in the pruned model, given the prefix of names in layers; undefined if its layer is removed. */
export function renumber(name: string, prefix: string, { kept }: KeptLayers): string | undefined {
  if (!name.startsWith(prefix)) return name
  const match = /^(\d+)(\..*)$/.exec(name.slice(prefix.length))
  if (match === null) return name
  const layer = kept.indexOf(Number(match[1]))
  return layer === -1 ? undefined : `${prefix}${layer}${match[2]}`
}

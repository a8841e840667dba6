import { LayerpruneError } from '../errors.js'
import { keptSlices } from '../plan/blocks.js'
import type { Block } from '../similarity/result.js'

/** Which layers stay and what their numbers become. */
export interface KeptLayers {
  /** Layers of the whole model. */
  whole: number
  /** Old numbers of the layers that stay, in order: the index is the new number. */
  kept: number[]
}

/**
 * @throws UsageError where a block does not fit, or where no layer would stay
 */
export function keepLayers(layers: number, removed: Block[]): KeptLayers {
  const kept = keptSlices(layers, removed).flatMap(({ start, end }) =>
    Array.from({ length: end - start }, (_, index) => start + index),
  )
  return { whole: layers, kept }
}

/** A name that holds a layer's number: what comes before it, the number, what comes after. */
const NUMBERED = /^((?:[^.]*[^.\d][^.]*\.)*)(\d+)(\..*)$/

/**
 * Finds what the names of the tensors in layers start with, as `model.layers.`: the one list among all names
 * that has exactly the layers' numbers. The first number in a name counts, so experts are parts of their layer.
 * @throws LayerpruneError where there is no such list, or more than one
 */
export function findLayerPrefix(names: Iterable<string>, layers: number): string {
  const lists = new Map<string, Set<number>>()
  for (const name of names) {
    const match = NUMBERED.exec(name)
    if (match === null) continue
    const numbers = lists.get(match[1]!) ?? new Set()
    lists.set(match[1]!, numbers.add(Number(match[2])))
  }
  const fitting = [...lists].filter(([, numbers]) => numbers.size === layers && !hasOver(numbers, layers - 1))
  const [only, another] = fitting
  if (only !== undefined && another === undefined) return only[0]
  const found = [...lists].map(([prefix, numbers]) => `${prefix}N (${numbers.size} of them)`).join(', ')
  throw new LayerpruneError(
    `the tensors of the ${layers} layers cannot be told from their names: found ${found || 'no numbered name'}`,
    { hint: 'config.json and weights must be of one decoder whose layers are one numbered list' },
  )
}

function hasOver(numbers: Set<number>, limit: number): boolean {
  return [...numbers].some((number) => number > limit)
}

/**
 * The name that a tensor has in the pruned model; undefined where its layer goes.
 * @param prefix what the names of tensors in layers start with
 */
export function renumber(name: string, prefix: string, { kept }: KeptLayers): string | undefined {
  if (!name.startsWith(prefix)) return name
  const match = /^(\d+)(\..*)$/.exec(name.slice(prefix.length))
  if (match === null) return name
  const layer = kept.indexOf(Number(match[1]))
  return layer === -1 ? undefined : `${prefix}${layer}${match[2]}`
}

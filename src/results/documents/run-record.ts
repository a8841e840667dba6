import { isDeepStrictEqual } from 'node:util'
import type { Shard } from '../../texts/tokens/placed-rows.js'

/** The command that made a document, so that another run does not replace it unasked. */
export interface RunRecord {
  command: string
  /** Its options as they were given; omitted are those that change no figure, such as `threads` and `output`. */
  options: Record<string, unknown>
  /** Which part of the run it was; omitted if it is all. */
  shard?: Shard
}

/** Options of `sweep` that `merge` decides for all shards. */
const LIMITS = ['maxPerplexityRatio', 'maxSize', 'minTask']

export interface OptionDifference {
  name: string
  first: unknown
  second: unknown
}

/**
 * Whether two documents are of one run. Shards are, and what was merged from them, whichever limits it has.
 * @returns what tells them apart: an option, or 'command'; null if nothing does
 */
export function compareRuns(first: RunRecord, second: RunRecord): OptionDifference | 'command' | null {
  if (first.command !== second.command) return 'command'
  const ignored = (first.shard === undefined) === (second.shard === undefined) ? [] : LIMITS
  const names = Object.keys({ ...first.options, ...second.options }).filter((name) => !ignored.includes(name))
  const name = names.find((name) => !isDeepStrictEqual(first.options[name], second.options[name]))
  return name === undefined ? null : { name, first: first.options[name], second: second.options[name] }
}

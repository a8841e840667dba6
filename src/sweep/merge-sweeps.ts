import { isDeepStrictEqual } from 'node:util'
import type { SweepLimits, SweepResult } from '../documents/sweep-result.js'
import { LayerpruneError } from '../errors.js'
import { formatList, formatQuantity } from '../format-numbers.js'
import { recommendCut } from './recommend.js'

/** A sweep and the file that it was read from, for messages. */
export interface SweepShard {
  file: string
  sweep: SweepResult
}

/** What shards of one sweep have in common. */
const SHARED = [
  'model',
  'dataset',
  'settings',
  'strategies',
  'sizes',
  'taskSettings',
  'layerpruneVersion',
] as const

/**
 * Puts the shards of a sweep together: what one run would have measured, but for the speeds, which each has of its own
 * machine; those of the whole model are the first shard's.
 * @throws LayerpruneError if one is not a shard, belongs to another sweep, is there twice or is missing
 */
export function mergeSweeps(shards: SweepShard[], limits: SweepLimits = {}): SweepResult {
  const [first] = shards
  if (first === undefined) throw new LayerpruneError('there are no sweeps to merge')
  for (const shard of shards) assertSameSweep(shard, first)
  assertComplete(shards, first.sweep.shard!.count)
  const byShard = shards.toSorted((a, b) => a.sweep.shard!.index - b.sweep.shard!.index)
  const most = Math.max(...byShard.map(({ sweep }) => sweep.candidates.length))
  // every Nth candidate is in a shard
  const candidates = Array.from({ length: most }, (_, place) =>
    byShard.flatMap(({ sweep }) => sweep.candidates.slice(place, place + 1)),
  ).flat()
  const { shard: _, ...merged } = first.sweep
  const recommended = recommendCut(candidates, merged.whole.perplexity, limits)
  return { ...merged, candidates, limits, recommended }
}

function assertSameSweep({ file, sweep }: SweepShard, first: SweepShard): void {
  if (sweep.shard === undefined) {
    throw new LayerpruneError(`${file} is not a shard of a sweep`, {
      hint: 'measure a part of the cuts with layerprune sweep --shard i/N',
    })
  }
  const differing = SHARED.find((key) => !isDeepStrictEqual(sweep[key], first.sweep[key]))
  if (differing !== undefined) {
    throw new LayerpruneError(`${file} and ${first.file} are of different sweeps: their ${differing} differ`)
  }
  if (sweep.shard.count !== first.sweep.shard!.count) {
    throw new LayerpruneError(
      `${file} is one of ${sweep.shard.count} shards, ${first.file} one of ${first.sweep.shard!.count}`,
    )
  }
}

function assertComplete(shards: SweepShard[], count: number): void {
  const files = new Map<number, string>()
  for (const { file, sweep } of shards) {
    const { index } = sweep.shard!
    const other = files.get(index)
    if (other !== undefined) {
      throw new LayerpruneError(`${other} and ${file} are both shard ${index} of ${count}`)
    }
    files.set(index, file)
  }
  const missing = Array.from({ length: count }, (_, index) => index + 1).filter((index) => !files.has(index))
  if (missing.length === 0) return
  throw new LayerpruneError(
    `${formatQuantity(missing.length, 'shard')} of ${count} ${missing.length === 1 ? 'is' : 'are'} missing: ${formatList(missing.slice(0, 5).map(String))}`,
  )
}

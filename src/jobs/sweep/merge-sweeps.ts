import { isDeepStrictEqual } from 'node:util'
import { LayerpruneError } from '../../base/errors.js'
import { nameFlag } from '../../base/name-option.js'
import { assertCompleteShards } from '../../results/documents/complete-shards.js'
import type { SweepLimits, SweepResult } from '../../results/documents/sweep-result.js'
import { recommendCut } from './recommend.js'

/** A sweep and the file that it was read from, for messages. */
export interface SweepShard {
  file: string
  sweep: SweepResult
}

/** Properties that the shards of one sweep share. */
const SHARED = ['model', 'dataset', 'settings', 'strategies', 'sizes', 'taskSettings', 'layerpruneVersion'] as const

/**
 * Merges the shards of a sweep into what one run would have measured; speeds are those of the machines.
 * @throws LayerpruneError if one is not a shard, belongs to another sweep, is there twice or is missing
 */
export function mergeSweeps(shards: SweepShard[], limits: SweepLimits = {}): SweepResult {
  const [first] = shards
  if (first === undefined) throw new LayerpruneError('there are no sweeps to merge')
  for (const shard of shards) assertSameSweep(shard, first)
  assertCompleteShards(shards.map(({ file, sweep }) => ({ file, shard: sweep.shard! })))
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
      hint: `measure a part of the cuts with layerprune sweep ${nameFlag('shard')} i/N`,
    })
  }
  const differing = SHARED.find((key) => !isDeepStrictEqual(sweep[key], first.sweep[key]))
  if (differing !== undefined) {
    throw new LayerpruneError(`${file} and ${first.file} belong to different sweeps: their ${differing} differ`)
  }
}

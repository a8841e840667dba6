import { LayerpruneError } from '../../base/errors.js'
import { nameOption } from '../../base/name-option.js'
import { listMetrics } from '../../results/documents/metrics.js'
import type { SimilarityResult } from '../../results/documents/similarity-result.js'
import { identify } from '../run/identity.js'
import { assertSameWork } from '../run/saved-work.js'
import { describeSettings, type RunDescription } from './build-result.js'
import { type Measurement, restoreMeasurement } from './measurement.js'

/** @throws LayerpruneError if the partial result's run had another model or settings, naming the first difference */
export function resumeMeasurement(partial: SimilarityResult, run: RunDescription): Measurement {
  if (!partial.partial) throw new LayerpruneError('the run cannot be resumed: it has already finished')
  const current = { ...describeSettings(run.settings), model: run.model, dataset: run.dataset }
  assertSameWork(
    { identity: { ...identify(partial, listMetrics(partial)), [nameOption('shard')]: nameShard(partial) } },
    { ...identify(current, run.settings.metrics), [nameOption('shard')]: nameShard(current) },
  )
  return restoreMeasurement(partial, 'the partial result')
}

function nameShard({ shard }: Pick<SimilarityResult, 'shard'>): string {
  return shard === undefined ? 'not given' : `${shard.index}/${shard.count}`
}

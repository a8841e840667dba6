import type { SimilarityResult } from '../../results/documents/similarity-result.js'
import { measureSimilarity } from './measure.js'
import type { SimilarityOptions } from './options.js'

/** At most so often is a partial result made: with many layers that takes a while. */
const INTERVAL_MS = 1000

/** What a larger job keeps of its distances. */
export interface KeptDistances {
  /** Of a run that was stopped; undefined if there was none. */
  partial?: SimilarityResult | undefined
}

/**
 * Measures distances as a part of a larger job, from where a stopped run of it came to.
 * @param kept     gets the partial result as it goes
 * @param onSaved  called and awaited after each change of `kept`
 * @throws as `measureSimilarity`
 */
export async function measureKeeping(
  options: Omit<SimilarityOptions, 'resumeFrom' | 'onBatch' | 'onPartialResult'>,
  kept: KeptDistances,
  onSaved: () => Promise<void>,
): Promise<SimilarityResult> {
  let savedMs = performance.now()
  try {
    return await measureSimilarity({
      ...options,
      resumeFrom: kept.partial,
      async onBatch(takePartial) {
        if (performance.now() - savedMs < INTERVAL_MS) return
        kept.partial = takePartial()
        await onSaved()
        savedMs = performance.now()
      },
      onPartialResult(partial) {
        kept.partial = partial
      },
    })
  } catch (cause) {
    await onSaved()
    throw cause
  }
}

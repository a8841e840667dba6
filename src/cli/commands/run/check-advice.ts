import type { RunRate } from '../../../jobs/run/run-rate.js'
import type { SimilarityOptions } from '../../../jobs/similarity/options.js'
import { DEFAULT_VERIFIED_BLOCKS, VERIFIED_DISTANCE_TEXTS } from '../../../jobs/strategies/verification-sizes.js'
import { estimateVerification } from '../../../jobs/strategies/verification-time.js'
import { findNearestBlocks } from '../../../results/documents/result-views.js'
import type { SimilarityResult } from '../../../results/documents/similarity-result.js'
import type { CheckAdvice } from '../../terminal/check-advice.js'

type AdvisedFlags = Pick<SimilarityOptions, 'shard' | 'maxMemory' | 'datasetSize' | 'until'> & {
  verifySize: number
}

/** Share of a dataset's texts to measure distances on; the rest is left to check the blocks. */
export const MEASURED_SHARE = 0.8

/**
 * Which flags would check the blocks of a run that did not, and how long that would take at the rate of the run.
 * @returns undefined if they exclude its other flags
 */
export function adviseCheck(
  { dataset: { samples, tokens }, distances, layersToSkip, model: { layers } }: SimilarityResult,
  { shard, maxMemory, datasetSize, until, verifySize }: AdvisedFlags,
  rate: RunRate | null,
): CheckAdvice | undefined {
  if (shard !== undefined || maxMemory !== undefined || samples < 2) return undefined
  const takesAll = datasetSize === undefined && until === undefined
  const measured = takesAll ? Math.min(VERIFIED_DISTANCE_TEXTS, Math.floor(MEASURED_SHARE * samples)) : samples
  const texts = takesAll ? Math.min(verifySize, samples - measured) : verifySize
  const blocks = findNearestBlocks(distances, layersToSkip, DEFAULT_VERIFIED_BLOCKS)
  const perText = tokens / samples
  return {
    flags: [
      ...(takesAll && measured < VERIFIED_DISTANCE_TEXTS ? [`--dataset-size ${measured}`] : []),
      `--verify ${DEFAULT_VERIFIED_BLOCKS}`,
      // it replaces the result that was not checked
      '--force',
    ].join(' '),
    blocks: blocks.length,
    texts,
    seconds:
      rate &&
      rate.loadingSeconds +
        (measured * perText) / rate.tokensPerSecond +
        estimateVerification(rate, { layers, blocks, tokens: texts * perText }),
  }
}

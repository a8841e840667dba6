import { formatQuantity } from '../../base/format-numbers.js'
import { renamePhase } from '../../base/progress.js'
import { planVerifiedBlock } from '../../results/documents/recommended-plan.js'
import { chosenOn, recordTexts } from '../../results/documents/text-uses.js'
import { describeTexts } from './calibration.js'
import { asBlocks, lowestLayers } from './choose-layers.js'
import type { Found, TextPlanOptions } from './plan-options.js'
import { DEFAULT_VERIFICATION_TEXTS, DEFAULT_VERIFIED_BLOCKS } from './verification-sizes.js'
import { verifyBlocks } from './verify-blocks.js'

/** Removes the block of the smallest distance. */
export async function planByDistance(options: TextPlanOptions): Promise<Found> {
  const { best, dataset, settings, tokens } = await options.memory.measureDistances(options)
  const { distance, standardError } = best
  return {
    removed: [best],
    scores: { distance, standardError, tokens },
    dataset: describeTexts(dataset, { texts: dataset.samples, settings }, options),
    texts: chosenOn(recordTexts(dataset, settings)),
  }
}

/** Removes the block with the lowest perplexity among those of the smallest distances. */
export async function planVerified(options: TextPlanOptions): Promise<Found> {
  const { verify = DEFAULT_VERIFIED_BLOCKS, verifySize = DEFAULT_VERIFICATION_TEXTS, onProgress } = options
  const next = `perplexity of ${formatQuantity(verify, 'block')}`
  const result = await options.memory.measureDistances({
    ...options,
    onProgress: renamePhase(onProgress, 'distances', { next }),
  })
  const verification = await verifyBlocks({
    ...options,
    distances: result.distances,
    verify,
    verifySize,
    datasetSkip: (options.datasetSkip ?? 0) + options.datasetSize,
    ...options.memory.check,
  })
  return planVerifiedBlock(result, verification)
}

/** A layer's influence is the distance of a block of one over all tokens (Men et al. 2024, ShortGPT, arXiv 2403.03853). */
export async function planByInfluence(options: TextPlanOptions): Promise<Found> {
  const { distances, dataset, settings } = await options.memory.measureDistances({
    ...options,
    metric: 'block-influence',
    tokens: 'all',
    layersToSkip: 1,
  })
  const influence = distances[1]!
  return {
    removed: asBlocks(lowestLayers(influence, options.layersToSkip)),
    scores: { blockInfluence: influence },
    dataset: describeTexts(dataset, { texts: dataset.samples, settings }, options),
    texts: chosenOn(recordTexts(dataset, settings)),
  }
}

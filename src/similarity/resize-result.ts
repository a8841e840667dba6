import { UsageError } from '../errors.js'
import { findBestBlock } from './blocks.js'
import type { ScoredBlock, SimilarityResult } from './result.js'

/**
 * A result as of a run that asked for blocks of another size: all sizes are in it. How sure the best is was
 * measured for the size asked for alone, so of another it is not known.
 * @throws UsageError where the model has no such block
 */
export function resizeResult<T extends SimilarityResult>(result: T, layersToSkip: number): T {
  const { model, distances, standardErrors } = result
  if (layersToSkip === result.layersToSkip) return result
  if (layersToSkip >= model.layers) {
    throw new UsageError(
      `--layers-to-skip must be 1 to ${model.layers - 1} for a model of ${model.layers} layers, found ${layersToSkip}`,
    )
  }
  const blocks = distances[layersToSkip]!.map(
    (distance, start): ScoredBlock => ({
      start,
      end: start + layersToSkip,
      distance,
      standardError: standardErrors[layersToSkip]![start]!,
    }),
  )
  const best = blocks[findBestBlock(distances, layersToSkip).start]!
  return { ...result, layersToSkip, blocks, best, certainty: null }
}

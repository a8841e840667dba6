import { UsageError } from '../errors.js'
import { findBestBlock, scoreBlocks } from './blocks.js'
import type { MetricResult, SimilarityResult } from './result.js'

/**
 * A result as of a run that asked for blocks of another size: all sizes are in it, but for the comparison of its
 * best block with every other. How sure that one is, `findCertainty` tells.
 * @throws UsageError where the model has no such block
 */
export function resizeResult<T extends SimilarityResult>(result: T, layersToSkip: number): T {
  const { model, metrics } = result
  if (layersToSkip === result.layersToSkip) return result
  if (layersToSkip >= model.layers) {
    throw new UsageError(
      `--layers-to-skip must be 1 to ${model.layers - 1} for a model of ${model.layers} layers, found ${layersToSkip}`,
    )
  }
  const chooseBest = (of: Pick<MetricResult, 'distances' | 'standardErrors'>) =>
    scoreBlocks(of, layersToSkip)[findBestBlock(of.distances, layersToSkip).start]!
  const resized = Object.entries(metrics ?? {}).map(([metric, of]) => [
    metric,
    { ...of, best: chooseBest(of) },
  ])
  return {
    ...result,
    layersToSkip,
    blocks: scoreBlocks(result, layersToSkip),
    best: chooseBest(result),
    certainty: null,
    ...(metrics === undefined ? {} : { metrics: Object.fromEntries(resized) }),
  }
}

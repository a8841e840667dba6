import { assertBlockSize, findBestBlock, scoreBlocks } from './score-blocks.js'
import type { MetricResult, SimilarityResult } from './similarity-result.js'

/**
 * A result as of a run that asked for blocks of another size: all sizes are in it, but for the comparison of its
 * best block with every other. `findCertainty` says how sure that one is.
 * @throws UsageError if the model has no such block
 */
export function resizeResult(result: SimilarityResult, layersToSkip: number): SimilarityResult {
  const { model, metrics } = result
  if (layersToSkip === result.layersToSkip) return result
  assertBlockSize(layersToSkip, model.layers)
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

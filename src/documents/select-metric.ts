import { UsageError } from '../errors.js'
import { formatList } from '../format-numbers.js'
import { listMetrics, type Metric } from './metrics.js'
import { scoreBlocks } from './score-blocks.js'
import type { SimilarityResult } from './similarity-result.js'

/**
 * A result as another of its metrics sees it. How sure the best is was measured for the first metric alone, so of
 * another it is not known.
 * @throws UsageError if the run did not measure that metric
 */
export function selectMetric<T extends SimilarityResult>(result: T, metric: Metric): T {
  if (metric === result.metric) return result
  const selected = result.metrics?.[metric]
  if (selected === undefined) {
    throw new UsageError(`the result has no metric ${metric}: it has ${formatList(listMetrics(result))}`)
  }
  return {
    ...result,
    ...selected,
    metric,
    blocks: scoreBlocks(selected, result.layersToSkip),
    certainty: null,
    certaintyBySize: null,
  }
}

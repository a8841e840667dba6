import { UsageError } from '../errors.js'
import { formatConfidence, formatEstimate, formatQuantity } from '../format-numbers.js'
import { nameLayers } from '../layer-names.js'
import { findCertainty } from './find-certainty.js'
import { describeMetric, type Metric } from './metrics.js'
import { resizeResult } from './resize-result.js'
import type { Block, SimilarityResult } from './result.js'

/** What must hold of a result; what is left out is not looked at. */
export interface Expectations {
  /** Size of the block; that of `block` where left out, else that of the run. */
  layersToSkip?: number | undefined
  /** The best block. */
  block?: Block | undefined
  /** Of the best block, inclusive. */
  maxDistance?: number | undefined
  /** That the best block is the best, inclusive. */
  minConfidence?: number | undefined
}

/** One expectation and whether it holds. */
export interface Check {
  holds: boolean
  /** What was found, and what was expected where that is another thing. */
  text: string
}

/**
 * Holds a result against what is expected of it; that it is whole is always expected.
 * @throws UsageError where nothing is expected, or it does not fit the model
 */
export function checkResult(saved: SimilarityResult, expected: Expectations): Check[] {
  const { block, maxDistance, minConfidence } = expected
  if (block === undefined && maxDistance === undefined && minConfidence === undefined) {
    throw new UsageError('nothing is expected: give --max-distance, --expect or --min-confidence')
  }
  assertPossible(maxDistance, saved.metric)
  const size = chooseSize(saved, expected)
  const { best, partial, shard, dataset } = resizeResult(saved, size)
  const certainty = findCertainty(saved, size)
  const found = nameLayers(best)
  const checks: Check[] = []
  if (partial || shard) {
    const what = partial ? 'an interrupted run' : `shard ${shard!.index} of ${shard!.count}`
    checks.push({
      holds: false,
      text: `the result is of ${what}, ${formatQuantity(dataset.samples, 'text')} alone: expected a whole one`,
    })
  }
  if (block !== undefined) {
    const holds = best.start === block.start
    checks.push({
      holds,
      text: `the best block is ${found}${holds ? '' : `: expected ${nameLayers(block)}`}`,
    })
  }
  if (maxDistance !== undefined) {
    const holds = best.distance <= maxDistance
    checks.push({
      holds,
      text: `the distance of ${found} is ${formatEstimate(best.distance, best.standardError)}: expected at most ${maxDistance}`,
    })
  }
  if (minConfidence !== undefined) {
    const holds = certainty !== null && certainty.confidence >= minConfidence
    const confidence = certainty === null ? 'not known' : formatConfidence(certainty.confidence)
    checks.push({
      holds,
      text: `the confidence in ${found} is ${confidence}: expected at least ${formatConfidence(minConfidence)}`,
    })
  }
  return checks
}

/** A limit that every block keeps would check nothing. */
function assertPossible(maxDistance: number | undefined, metric: Metric): void {
  const { title, limit } = describeMetric(metric)
  if (maxDistance !== undefined && maxDistance > limit) {
    throw new UsageError(`--max-distance ${maxDistance}: the ${title} is never above ${limit}`)
  }
}

function chooseSize({ model, layersToSkip }: SimilarityResult, expected: Expectations): number {
  const { block, layersToSkip: asked } = expected
  if (block === undefined) return asked ?? layersToSkip
  const size = block.end - block.start
  if (size < 1 || block.end > model.layers) {
    throw new UsageError(`block [${block.start}, ${block.end}) is none of a model of ${model.layers} layers`)
  }
  if (asked !== undefined && asked !== size) {
    throw new UsageError(
      `--expect names ${formatQuantity(size, 'layer')}, --layers-to-skip ${asked}: they must agree`,
    )
  }
  return size
}

import { UsageError } from '../../base/errors.js'
import { formatConfidence, formatEstimate, formatQuantity } from '../../base/format-numbers.js'
import { nameOption } from '../../base/name-option.js'
import type { Block } from '../../model/layers/block.js'
import { assertBlockSize } from '../../model/layers/blocks.js'
import { nameLayers } from '../../model/layers/names.js'
import { describeMetric, type Metric } from '../../results/documents/metrics.js'
import {
  findBestBlock,
  findCertainty,
  type Recommending,
  recommendBlock,
} from '../../results/documents/result-views.js'
import type { SimilarityResult } from '../../results/documents/similarity-result.js'

/** Expectations of a result; omitted ones are not checked. */
export interface Expectations {
  /** Block size; if omitted, that of `expect` or of the run. */
  layersToSkip?: number | undefined
  /** The recommended block. */
  expect?: Block | undefined
  /** Maximum distance of the recommended block, inclusive. */
  maxDistance?: number | undefined
  /** Minimum confidence in the block of the smallest distance, inclusive. */
  minConfidence?: number | undefined
}

/** One expectation and whether it holds. */
export interface Check {
  holds: boolean
  /** The finding, and the expectation if it differs. */
  text: string
}

/**
 * Compares a result with what is expected of it; that it is whole is always expected.
 * @throws UsageError if nothing is expected, or it does not fit the model
 */
export function checkResult(saved: SimilarityResult & Recommending, expected: Expectations): Check[] {
  const { expect: block, maxDistance, minConfidence } = expected
  if (block === undefined && maxDistance === undefined && minConfidence === undefined) {
    throw new UsageError('nothing is expected: give `maxDistance`, `expect` or `minConfidence`')
  }
  assertPossible(maxDistance, saved.metric)
  const size = expectedSize(saved, expected)
  const { partial, shard, dataset } = saved
  const found = recommendBlock(saved, size)
  const name = nameLayers(found)
  const checks: Check[] = []
  if (partial || shard) {
    const what = partial ? 'an interrupted run' : `shard ${shard!.index} of ${shard!.count}`
    checks.push({
      holds: false,
      text: `the result is only that of ${what}, over ${formatQuantity(dataset.samples, 'text')}: expected a complete one`,
    })
  }
  if (block !== undefined) {
    const holds = found.start === block.start
    checks.push({ holds, text: `the best block is ${name}${holds ? '' : `: expected ${nameLayers(block)}`}` })
  }
  if (maxDistance !== undefined) {
    const distance = saved.distances[size]![found.start]!
    const estimate = formatEstimate(distance, saved.standardErrors[size]![found.start]!)
    checks.push({
      holds: distance <= maxDistance,
      text: `the distance of ${name} is ${estimate}: expected at most ${maxDistance}`,
    })
  }
  if (minConfidence !== undefined) {
    checks.push(checkConfidence(saved, size, minConfidence))
  }
  return checks
}

/** Distances give a confidence only for the block of the smallest one, whichever block perplexity recommends. */
function checkConfidence(saved: SimilarityResult & Recommending, size: number, least: number): Check {
  const certainty = findCertainty(saved, size)
  const nearest = findBestBlock(saved.distances, size)
  const isRecommended = nearest.start === recommendBlock(saved, size).start
  const name = `${nameLayers(nearest)}${isRecommended ? '' : ', the smallest distance,'}`
  const confidence = certainty === null ? 'not known' : formatConfidence(certainty.confidence)
  return {
    holds: certainty !== null && certainty.confidence >= least,
    text: `the confidence in ${name} is ${confidence}: expected at least ${formatConfidence(least)}`,
  }
}

/** A limit that no block can exceed would check nothing. */
function assertPossible(maxDistance: number | undefined, metric: Metric): void {
  const { title, limit } = describeMetric(metric)
  if (maxDistance !== undefined && maxDistance > limit) {
    throw new UsageError(`${nameOption('maxDistance', maxDistance)}: the ${title} is never above ${limit}`)
  }
}

function expectedSize({ model, layersToSkip, bestBlocks }: SimilarityResult, expected: Expectations): number {
  const { expect: block, layersToSkip: asked } = expected
  if (block === undefined) {
    if (asked === undefined && bestBlocks !== undefined) {
      throw new UsageError('the result has the nearest block of every size: choose one size', {
        hint: 'give `layersToSkip`',
      })
    }
    const size = asked ?? layersToSkip
    assertBlockSize(size, model.layers)
    return size
  }
  const size = block.end - block.start
  if (size < 1 || size >= model.layers || block.end > model.layers) {
    throw new UsageError(`[${block.start}, ${block.end}) is not a block of a model with ${model.layers} layers`)
  }
  if (asked !== undefined && asked !== size) {
    throw new UsageError(
      `${nameOption('expect')} names ${formatQuantity(size, 'layer')}, ${nameOption('layersToSkip', asked)}: they must agree`,
    )
  }
  return size
}

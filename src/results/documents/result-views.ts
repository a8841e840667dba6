import { UsageError } from '../../base/errors.js'
import { formatList } from '../../base/format-numbers.js'
import type { Block } from '../../model/layers/block.js'
import { assertBlockSize } from '../../model/layers/blocks.js'
import { type SizeCertainty, summarizeCertainty } from './certainty.js'
import { listMetrics, type Metric } from './metrics.js'
import type { MetricResult, ScoredBlock, SimilarityResult } from './similarity-result.js'

/** The block of n layers with the smallest of a result's `distances[n][l]`, none of them NaN; of equals the first. */
export function findBestBlock(distances: Record<string, number[]>, n: number): Block {
  const row = distances[n]!
  const start = row.indexOf(row.reduce((smallest, distance) => Math.min(smallest, distance)))
  return { start, end: start + n }
}

/** The blocks of n layers by a result's `distances[n][l]`, the smallest first; of equals the first. */
export function findNearestBlocks(
  distances: Record<string, number[]>,
  n: number,
  count: number,
): (Block & { distance: number })[] {
  return distances[n]!.map((distance, start) => ({ start, end: start + n, distance }))
    .sort((a, b) => a.distance - b.distance || a.start - b.start)
    .slice(0, count)
}

/** Every block of n layers, by start. */
export function scoreBlocks(
  { distances, standardErrors }: Pick<MetricResult, 'distances' | 'standardErrors'>,
  n: number,
): ScoredBlock[] {
  return distances[n]!.map((distance, start) => ({
    start,
    end: start + n,
    distance,
    standardError: standardErrors[n]![start]!,
  }))
}

/** What a recommendation needs of a result, verified or not. */
export type Recommending = Pick<SimilarityResult, 'distances' | 'layersToSkip'> & {
  verification?: { recommended: Block } | undefined
}

/** The block of n layers that a result recommends: perplexity's choice if it checked that size, else the nearest. */
export function recommendBlock({ distances, layersToSkip, verification }: Recommending, n: number): Block {
  if (verification === undefined || n !== layersToSkip) return findBestBlock(distances, n)
  const { start, end } = verification.recommended
  return { start, end }
}

/** The confidence that the best block of n layers is the best; null if it was not measured. */
export function findCertainty(
  {
    layersToSkip,
    certainty,
    certaintyBySize,
  }: Pick<SimilarityResult, 'layersToSkip' | 'certainty' | 'certaintyBySize'>,
  n: number,
): SizeCertainty | null {
  if (n === layersToSkip) return certainty && summarizeCertainty(certainty)
  return certaintyBySize?.[n] ?? null
}

/**
 * A result as of a run that asked for blocks of another size: all sizes are in it, except the comparison of its
 * best block with every other. For its confidence, see `findCertainty`.
 * @throws UsageError if the model has no such block
 */
export function resizeResult(result: SimilarityResult, layersToSkip: number): SimilarityResult {
  const { model, metrics } = result
  if (layersToSkip === result.layersToSkip) return result
  assertBlockSize(layersToSkip, model.layers)
  const chooseBest = (of: Pick<MetricResult, 'distances' | 'standardErrors'>) =>
    scoreBlocks(of, layersToSkip)[findBestBlock(of.distances, layersToSkip).start]!
  const resized = Object.entries(metrics ?? {}).map(([metric, of]) => [metric, { ...of, best: chooseBest(of) }])
  return {
    ...result,
    layersToSkip,
    blocks: scoreBlocks(result, layersToSkip),
    best: chooseBest(result),
    certainty: null,
    ...(metrics === undefined ? {} : { metrics: Object.fromEntries(resized) }),
  }
}

/**
 * A result by another of its metrics, for which it is not known how sure the best block is.
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

import { UsageError } from '../errors.js'
import type { Block } from '../layers/block.js'
import type { MetricResult, ScoredBlock } from './similarity-result.js'

/** @throws UsageError unless a block of n layers can be taken out of a model of `layers` layers */
export function assertBlockSize(n: number, layers: number): void {
  if (layers < 2) throw new UsageError('a model of 1 layer has no block to remove: one layer must stay')
  if (n < 1 || n >= layers) {
    throw new UsageError(
      `layers to skip must be 1 to ${layers - 1} for a model of ${layers} layers, found ${n}`,
    )
  }
}

/**
 * The block of n layers with the smallest distance; of equals the first.
 * @param distances  `distances[n][l]` of a result, none of them NaN
 */
export function findBestBlock(distances: Record<string, number[]>, n: number): Block {
  const row = distances[n]!
  const start = row.indexOf(row.reduce((smallest, distance) => Math.min(smallest, distance)))
  return { start, end: start + n }
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

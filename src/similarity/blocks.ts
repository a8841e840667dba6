import type { Block, MetricResult, ScoredBlock } from './result.js'

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

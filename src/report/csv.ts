import type { ScoredBlock } from '../documents/similarity-result.js'

/**
 * PruneMe's `layer_distances.csv`: `block_start,block_end,average_distance`, one row per block, end exclusive,
 * distances in full precision.
 */
export function formatDistancesCsv(blocks: ScoredBlock[]): string {
  const rows = blocks.map(({ start, end, distance }) => `${start},${end},${distance}`)
  return `${['block_start,block_end,average_distance', ...rows].join('\n')}\n`
}

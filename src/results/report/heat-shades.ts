import { interpolateViridis } from 'd3-scale-chromatic'

/** Smallest and largest distance of a scale. */
export type Range = [low: number, high: number]

/** Smallest distance, and largest of a block not at layer 0: those take the embedding and most of the scale. */
export function rangeOf(rows: number[][]): Range {
  const low = Math.min(...rows.flat())
  return [low, Math.max(low, ...rows.flatMap((row) => row.slice(1)))]
}

/** Where a distance is on a scale: 0 for the smallest, 1 for the largest and what is over it. */
export function placeOn([low, high]: Range, distance: number): number {
  return high > low ? Math.min(1, (distance - low) / (high - low)) : Number(distance > low)
}

/** `#rrggbb` of viridis: bright for 0, the block that rotates the stream least; dark for 1. */
export function colorOf(place: number): string {
  return interpolateViridis(1 - place)
}

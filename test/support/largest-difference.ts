import { expect } from 'vitest'

/** Largest absolute difference of two lists of numbers, which must be of one length and not empty. */
export function largestDifference(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(found.length).toBe(expected.length)
  expect(expected.length).toBeGreaterThan(0)
  return Array.from(expected).reduce((largest, value, index) => Math.max(largest, Math.abs(found[index]! - value)), 0)
}

/** As largestDifference, of lists by a key: the distances of a result by the number of layers that a block has. */
export function largestDifferenceByKey(
  found: Record<string, ArrayLike<number>>,
  expected: Record<string, ArrayLike<number>>,
): number {
  expect(Object.keys(found)).toEqual(Object.keys(expected))
  return Math.max(...Object.entries(expected).map(([key, row]) => largestDifference(found[key]!, row)))
}

import { expect, it } from 'vitest'
import { buildPrefixTree, type PrefixTree } from '../../../src/jobs/evaluate/prefix-tree.js'

function countSteps(tree: PrefixTree): number {
  return [...tree.next.values()].reduce((steps, next) => steps + 1 + countSteps(next), 0)
}

function read(tree: PrefixTree, path: number[] = []): [number, number[]][] {
  const own = tree.ends.map((end): [number, number[]] => [end, path])
  return [...own, ...[...tree.next].flatMap(([item, next]) => read(next, [...path, item]))]
}

it('holds every sequence, and what they start with in common once', () => {
  const sequences = [[0, 1, 2, 3], [0, 1, 3], [0, 1, 2], [], [2, 3], [0, 1, 3]]
  const tree = buildPrefixTree(sequences)
  expect(read(tree).sort(([a], [b]) => a - b)).toEqual(sequences.map((path, index) => [index, path]))
  expect(countSteps(tree)).toBe(4 + 1 + 2)
})

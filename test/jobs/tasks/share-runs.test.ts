import { expect, it } from 'vitest'
import { createRandom } from '../../../src/base/random.js'
import type { EncodedRequest } from '../../../src/jobs/tasks/encode-requests.js'
import { type SharedRun, shareRuns } from '../../../src/jobs/tasks/share-runs.js'

function makeRequests(count: number, draw: () => number[]): EncodedRequest[] {
  return Array.from({ length: count }, () => {
    const input = draw()
    return { input, from: input.length - 1, ids: [9], cut: 0 }
  })
}

/** Ids of what the token at a place sees, itself included. */
function read({ ids, tree }: SharedRun, place: number): number[] {
  return ids.slice(0, place + 1).filter((_, key) => tree === undefined || tree.seenUntil[key]! > place)
}

it.each([false, true])('every request reads its own text and no other, longest first (trees: %s)', (trees) => {
  const random = createRandom(5)
  const requests = makeRequests(300, () => Array.from({ length: 1 + random.below(5) }, () => random.below(3)))
  const runs = shareRuns(requests, String, trees)
  const placed = runs.flatMap((run) => run.requests.map((request) => ({ run, ...request })))
  expect(placed.map(({ request }) => request).sort((a, b) => a - b)).toEqual(requests.map((_, place) => place))
  for (const { run, request, places } of placed) {
    const { input } = requests[request]!
    expect(read(run, places[0]!)).toEqual(input)
    expect(run.tree?.positions[places[0]!] ?? places[0]!).toBe(input.length - 1)
  }
  const lengths = runs.map(({ ids }) => ids.length)
  expect(lengths).toEqual(lengths.toSorted((a, b) => b - a))
  expect(runs.some(({ tree }) => tree !== undefined)).toBe(trees)
})

it('a text that others begin with has no run of its own', () => {
  const requests = [[1, 2], [1, 2, 3], [1, 2, 4], [5]].map((input) => ({ input, from: 0, ids: [9], cut: 0 }))
  const idsOf = (trees: boolean) => shareRuns(requests, String, trees).map(({ ids }) => ids)
  expect(idsOf(false)).toEqual([[1, 2, 3], [1, 2, 4], [5]])
  expect(idsOf(true)).toEqual([[1, 2, 3, 4], [5]])
})

it('a tree ends if little of the next text is in it, or it would be larger than a batch', () => {
  const random = createRandom(6)
  const start = [1, 2]
  const alike = makeRequests(30, () => [...start, ...Array.from({ length: 7 }, () => random.below(900))])
  expect(shareRuns(alike, String, true)).toHaveLength(30)
  const context = Array.from({ length: 200 }, () => random.below(900))
  const many = makeRequests(40, () => [...context, ...Array.from({ length: 50 }, () => random.below(900))])
  const runs = shareRuns(many, String, true)
  expect(runs.map(({ ids }) => ids.length)).toEqual([1000, 1000, 600])
})

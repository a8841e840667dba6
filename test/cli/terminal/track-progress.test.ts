import { expect, it } from 'vitest'
import type { Progress } from '../../../src/base/progress.js'
import { createRandom } from '../../../src/base/random.js'
import { ProgressTracker } from '../../../src/cli/terminal/track-progress.js'

const RUN: Progress = { phase: 'distances', done: 0, total: 100, unit: 'text' }

/** Follows reports of texts that are done, at seconds from the start; returns the seconds left after each. */
function follow(reports: [seconds: number, done: number][], tracker = new ProgressTracker()): number[] {
  return reports.map(([seconds, done]) => {
    const { endsAtMs } = tracker.follow({ ...RUN, done }, 1000 * seconds)
    return endsAtMs === null ? Number.NaN : endsAtMs / 1000 - seconds
  })
}

it('the end is where the speed so far leads, and no time that passes moves it', () => {
  const tracker = new ProgressTracker()
  follow([[0, 0]], tracker)
  const { endsAtMs } = tracker.follow({ ...RUN, done: 25 }, 10_000)
  expect(endsAtMs).toBe(40_000)
  // the same count again, as between two batches
  expect(tracker.follow({ ...RUN, done: 25 }, 12_000).endsAtMs).toBe(40_000)
  expect(tracker.follow({ ...RUN, done: 50 }, 20_000)).toMatchObject({
    endsAtMs: 40_000,
    unitsPerSecond: 2.5,
  })
})

it('a slow start is not part of the speed once more is done', () => {
  // 20 s to load, then 2 texts a second
  const left = follow([
    [0, 0],
    [20, 5],
    [21, 7],
    [23, 11],
    [30, 25],
  ])
  expect(left[1]).toBeCloseTo(380, 6)
  expect(left[3]).toBeCloseTo(44.5, 6)
  expect(left[4]).toBeCloseTo(37.5, 6)
})

it('the time left never rises by more than a fifth after the first tenth, if batches differ by a third', () => {
  for (let seed = 0; seed < 50; seed++) {
    const random = createRandom(seed)
    let seconds = 0
    const reports = Array.from({ length: 101 }, (_, done): [number, number] => {
      if (done > 0) seconds += 0.67 + random.below(667) / 1000
      return [seconds, done]
    })
    const left = follow(reports)
    let least = Infinity
    // the last seconds are all rounding
    for (const value of left.slice(10, 95)) {
      expect(value).toBeLessThan(1.2 * least)
      least = Math.min(least, value)
    }
  }
})

it('nothing is said of the end before a tenth or 3 s of the work is done', () => {
  const left = follow([
    [0, 0],
    [2.9, 9],
    [3, 9.1],
  ])
  expect(left[1]).toBeNaN()
  expect(left[2]).toBeCloseTo((90.9 * 3) / 9.1, 6)
  expect(
    follow([
      [0, 0],
      [1, 10],
    ])[1],
  ).toBeCloseTo(9, 6)
})

it('the time left rises by less than a fifth if work turns out to take twice as long, and comes near the truth', () => {
  // 10 texts a second, then 5: it ends after 17 s
  const reports = Array.from({ length: 70 }, (_, index): [number, number] => [3 + index / 5, 30 + index])
  const left = follow([[0, 0], ...reports]).slice(1)
  let least = Infinity
  for (const [index, value] of left.slice(0, 60).entries()) {
    expect(value).toBeLessThan(1.2 * least)
    least = Math.min(least, value)
    if (index >= 50) expect(value).toBeGreaterThan(0.75 * (17 - reports[index]![0]))
  }
})

it('a phase has a speed of its own, and does not age while another interrupts it', () => {
  const tracker = new ProgressTracker()
  follow(
    [
      [0, 0],
      [10, 10],
    ],
    tracker,
  )
  const fits: Progress = { phase: 'fitting repairs', done: 0, total: 4, unit: 'layer' }
  expect(tracker.follow(fits, 10_000).endsAtMs).toBeNull()
  expect(tracker.follow({ ...fits, done: 1 }, 15_000)).toMatchObject({
    endsAtMs: 30_000,
    unitsPerSecond: 0.2,
  })
  const back = tracker.follow({ ...RUN, done: 10 }, 30_000)
  expect(back).toMatchObject({ endsAtMs: 120_000, unitsPerSecond: 1, startedAtMs: 20_000 })
})

it('work that is resumed counts from where it was, and work that starts again from its start', () => {
  const tracker = new ProgressTracker()
  expect(
    follow(
      [
        [0, 60],
        [10, 80],
      ],
      tracker,
    ).at(-1),
  ).toBeCloseTo(10, 6)
  expect(follow([[20, 0]], tracker)).toEqual([Number.NaN])
  expect(follow([[30, 50]], tracker)).toEqual([10])
})

it('work of an unknown size has a speed and no end', () => {
  const tracker = new ProgressTracker()
  tracker.follow({ ...RUN, total: null }, 0)
  expect(tracker.follow({ ...RUN, done: 30, total: null }, 10_000)).toMatchObject({
    endsAtMs: null,
    unitsPerSecond: 3,
  })
})

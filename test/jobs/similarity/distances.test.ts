import { describe, expect, it } from 'vitest'
import { addDistances, blockIndex, countBlocks, UndirectedStateError } from '../../../src/jobs/similarity/distances.js'
import { METRICS } from '../../../src/results/documents/metrics.js'
import { findBestBlock } from '../../../src/results/documents/result-views.js'

/** Inner products of states given as vectors. */
function gramOf(states: number[][]): Float64Array {
  return Float64Array.from(
    states.flatMap((a) => states.map((b) => a.reduce((sum, x, index) => sum + x * b[index]!, 0))),
  )
}

describe('addDistances', () => {
  it('is the angle over pi, whatever the lengths', () => {
    const states = [
      [1, 0],
      [0, 5],
      [-3, 0],
      [-2, -2],
    ]
    const sums = new Float64Array(countBlocks(3))
    addDistances(gramOf(states), 3, ['angular'], sums)
    const expected = { '1,0': 0.5, '1,1': 0.5, '1,2': 0.25, '2,0': 1, '2,1': 0.75, '3,0': 0.75 }
    for (const [block, distance] of Object.entries(expected)) {
      const [n, start] = block.split(',').map(Number)
      expect(sums[blockIndex(3, n!, start!)], block).toBeCloseTo(distance, 12)
    }
  })

  it('adds to what is there, and tells tiny angles apart', () => {
    const sums = new Float64Array(countBlocks(1)).fill(1)
    addDistances(
      gramOf([
        [1, 0],
        [1, 1e-6],
      ]),
      1,
      ['angular'],
      sums,
    )
    expect(sums[0]! - 1).toBeCloseTo(1e-6 / Math.PI, 10)
  })

  it('stays in [0, 1] when rounding takes the cosine outside', () => {
    const x = 1 / 3
    const sums = new Float64Array(countBlocks(2))
    addDistances(
      gramOf([
        [x, x, x],
        [x, x, x],
        [-x, -x, -x],
      ]),
      2,
      ['angular'],
      sums,
    )
    expect([...sums]).toEqual([0, 1, 1])
  })

  it('takes one metric after the other, each by its definition', () => {
    const sums = new Float64Array(METRICS.length * countBlocks(1))
    addDistances(
      gramOf([
        [2, 0],
        [0, 1],
      ]),
      1,
      METRICS,
      sums,
    )
    // arccos(0) / pi, 1 - cos, 1 - cos, |b - a| / |b|, |b - a|
    for (const [place, value] of [0.5, 1, 1, Math.sqrt(5), Math.sqrt(5)].entries()) {
      expect(sums[place], METRICS[place]).toBeCloseTo(value, 14)
    }
  })

  it('is 0 by every metric if a block changes nothing', () => {
    const state = [0.1, 0.7, -0.3]
    const sums = new Float64Array(METRICS.length)
    addDistances(gramOf([state, state]), 1, METRICS, sums)
    // the cosine of a state with itself can be less than 1 by its last digit
    for (const sum of sums.slice(0, 3)) expect(sum).toBeLessThan(1e-8)
    expect([...sums.slice(3)]).toEqual([0, 0])
  })

  it.each([
    ['zero', [0, 0]],
    ['not finite', [Number.NaN, 1]],
    ['not finite', [Number.POSITIVE_INFINITY, 1]],
  ])('refuses a state that is %s', (word, state) => {
    const attempt = () => addDistances(gramOf([[1, 0], state]), 1, ['angular'], new Float64Array(1))
    expect(attempt).toThrow(UndirectedStateError)
    expect(attempt).toThrow(`state 1 is ${word}`)
  })
})

describe('blockIndex', () => {
  it('numbers every block once', () => {
    const layers = 7
    const indices = Array.from({ length: layers }, (_, i) => i + 1).flatMap((n) =>
      Array.from({ length: layers - n + 1 }, (_, start) => blockIndex(layers, n, start)),
    )
    expect(indices).toEqual(Array.from({ length: countBlocks(layers) }, (_, index) => index))
  })
})

describe('findBestBlock', () => {
  it('takes the smallest distance, the first of equals', () => {
    expect(findBestBlock({ 2: [0.3, 0.1, 0.2, 0.1] }, 2)).toEqual({ start: 1, end: 3 })
  })
})

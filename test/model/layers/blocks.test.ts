import { describe, expect, it } from 'vitest'
import {
  assertBlockSize,
  formatBlocks,
  keptSlices,
  normalizeBlocks,
  parseBlocks,
} from '../../../src/model/layers/blocks.js'

describe('keptSlices', () => {
  it.each([
    [32, [{ start: 21, end: 29 }], '0-21 29-32'],
    [32, [{ start: 0, end: 8 }], '8-32'],
    [32, [{ start: 24, end: 32 }], '0-24'],
    [2, [{ start: 0, end: 1 }], '1-2'],
    [
      12,
      [
        { start: 6, end: 8 },
        { start: 1, end: 3 },
      ],
      '0-1 3-6 8-12',
    ],
    [
      12,
      [
        { start: 3, end: 5 },
        { start: 5, end: 7 },
      ],
      '0-3 7-12',
    ],
    [
      12,
      [
        { start: 0, end: 2 },
        { start: 10, end: 12 },
      ],
      '2-10',
    ],
    [12, [], '0-12'],
  ])('of %i layers without %j stay %s', (layers, removed, expected) => {
    const kept = keptSlices(layers, removed)
    expect(kept.map(({ start, end }) => `${start}-${end}`).join(' ')).toBe(expected)
  })

  it.each([
    [32, [{ start: 28, end: 36 }], 'the model has layers 0 to 31, and layers 28..35 cannot be removed from it'],
    [32, [{ start: -1, end: 3 }], 'the model has layers 0 to 31, and layers -1..2 cannot be removed from it'],
    [32, [{ start: 8, end: 8 }], 'block [8, 8) is empty: start must be below end'],
    [32, [{ start: 9, end: 8 }], 'block [9, 8) is empty: start must be below end'],
    [32, [{ start: 1.5, end: 8 }], 'block [1.5, 8): start and end must be whole numbers'],
    [32, [{ start: Number.NaN, end: 8 }], 'block [NaN, 8): start and end must be whole numbers'],
    [
      32,
      [
        { start: 4, end: 9 },
        { start: 2, end: 5 },
      ],
      'layers 2..4 and layers 4..8 overlap',
    ],
    [8, [{ start: 0, end: 8 }], 'no layer would be kept: all 8 layers are removed'],
    [
      4,
      [
        { start: 2, end: 4 },
        { start: 0, end: 2 },
      ],
      'no layer would be kept: all 4 layers are removed',
    ],
    [0, [], 'a model has a whole number of layers, at least 1, found 0'],
  ])('refuses %i layers without %j', (layers, removed, message) => {
    expect(() => keptSlices(layers, removed)).toThrow(
      expect.objectContaining({ name: 'UsageError', message, exitCode: 2 }),
    )
  })
})

describe('normalizeBlocks', () => {
  it('sorts, and joins blocks that touch, without changing what it was given', () => {
    const blocks = [
      { start: 9, end: 10 },
      { start: 4, end: 6 },
      { start: 2, end: 4 },
    ]
    const before = structuredClone(blocks)
    expect(normalizeBlocks(blocks, 12)).toEqual([
      { start: 2, end: 6 },
      { start: 9, end: 10 },
    ])
    expect(blocks).toEqual(before)
  })
})

describe('parseBlocks', () => {
  it.each([
    ['11:19', [[11, 19]]],
    [
      '11:19,25:27',
      [
        [11, 19],
        [25, 27],
      ],
    ],
    [
      '25:27, 7',
      [
        [25, 27],
        [7, 8],
      ],
    ],
  ])('reads %s', (text, expected) => {
    const blocks = parseBlocks(text)
    expect(blocks.map(({ start, end }) => [start, end])).toEqual(expected)
    expect(parseBlocks(formatBlocks(blocks))).toEqual(blocks)
  })

  it.each([
    ['11..18', '11:19'],
    ['11..18,25..26', '11:19,25:27'],
    ['11:19, 25..26,7', '11:19,25:27,7'],
    ['7..7', '7'],
  ])('reads %s, as it is printed, like %s', (printed, halfOpen) => {
    expect(parseBlocks(printed)).toEqual(parseBlocks(halfOpen))
  })

  it.each(['', '11-19', '11:', ':19', '11:19,', '-1:3', '1.5:3', '11:19:2', 'a:b', '11..', '..18', '1...3'])(
    'refuses %j',
    (text) => {
      expect(() => parseBlocks(text)).toThrow(/names no layers: expected for example 11:19, 11..18 or/)
    },
  )

  it('refuses layers in the wrong order', () => {
    expect(() => parseBlocks('18..11')).toThrow("'18..11' is empty: the first layer must not be after the last")
  })
})

it('a block leaves at least one layer', () => {
  expect(() => assertBlockSize(2, 3)).not.toThrow()
  for (const n of [0, 3, 1e9]) {
    expect(() => assertBlockSize(n, 3)).toThrow(`layers to skip must be 1 to 2 for a model of 3 layers, found ${n}`)
  }
  expect(() => assertBlockSize(1, 1)).toThrow('a model of 1 layer has no block to remove: one layer must be kept')
})

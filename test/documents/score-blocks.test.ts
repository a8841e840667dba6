import { expect, it } from 'vitest'
import { recommendBlock } from '../../src/documents/result-views.js'
import { assertBlockSize } from '../../src/layers/blocks.js'

it('a block leaves at least one layer', () => {
  expect(() => assertBlockSize(2, 3)).not.toThrow()
  for (const n of [0, 3, 1e9]) {
    expect(() => assertBlockSize(n, 3)).toThrow(
      `layers to skip must be 1 to 2 for a model of 3 layers, found ${n}`,
    )
  }
  expect(() => assertBlockSize(1, 1)).toThrow(
    'a model of 1 layer has no block to remove: one layer must stay',
  )
})

it('perplexity recommends for the size that it checked, distances for all others', () => {
  const distances = { 1: [0.3, 0.1, 0.2], 2: [0.3, 0.4] }
  const result = { distances, layersToSkip: 1 }
  expect(recommendBlock(result, 1)).toEqual({ start: 1, end: 2 })
  const verified = { ...result, verification: { recommended: { start: 2, end: 3 } } }
  expect(recommendBlock(verified, 1)).toEqual({ start: 2, end: 3 })
  expect(recommendBlock(verified, 2)).toEqual({ start: 0, end: 2 })
})

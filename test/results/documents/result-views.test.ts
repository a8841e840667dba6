import { expect, it } from 'vitest'
import { recommendBlock } from '../../../src/results/documents/result-views.js'

it('perplexity recommends for the size that it checked, distances for all others', () => {
  const distances = { 1: [0.3, 0.1, 0.2], 2: [0.3, 0.4] }
  const result = { distances, layersToSkip: 1 }
  expect(recommendBlock(result, 1)).toEqual({ start: 1, end: 2 })
  const verified = { ...result, verification: { recommended: { start: 2, end: 3 } } }
  expect(recommendBlock(verified, 1)).toEqual({ start: 2, end: 3 })
  expect(recommendBlock(verified, 2)).toEqual({ start: 0, end: 2 })
})

import { describe, expect, it } from 'vitest'
import { describeLayers, formatLayers, nameLayers } from '../../../src/model/layers/names.js'

describe('formatLayers', () => {
  it('names first and last layer, both included', () => {
    expect(formatLayers({ start: 21, end: 29 })).toBe('21..28')
    expect(formatLayers({ start: 21, end: 22 })).toBe('21')
  })
})

describe('nameLayers', () => {
  it('has the noun agree', () => {
    expect(nameLayers({ start: 21, end: 29 })).toBe('layers 21..28')
    expect(nameLayers({ start: 21, end: 22 })).toBe('layer 21')
  })
})

describe('describeLayers', () => {
  it('counts the layers of all blocks, in the order of the model', () => {
    expect(describeLayers(32, [{ start: 21, end: 29 }])).toBe('layers 21..28 (0-based, 8 of 32)')
    expect(describeLayers(32, [{ start: 0, end: 1 }])).toBe('layer 0 (0-based, 1 of 32)')
    expect(
      describeLayers(32, [
        { start: 21, end: 22 },
        { start: 3, end: 6 },
      ]),
    ).toBe('layers 3..5, 21 (0-based, 4 of 32)')
  })
})

import { describe, expect, it } from 'vitest'
import { findLayers, keepExtraLayers, keepLayers, renumber } from '../../../src/jobs/write-model/layer-numbers.js'

describe('findLayers', () => {
  it.each([
    [['model.layers.0.a', 'model.layers.1.a', 'model.norm.weight'], 'model.layers.'],
    [['transformer.h.0.a', 'transformer.h.1.a', 'lm_head.weight'], 'transformer.h.'],
    [['h.0.a', 'h.1.a'], 'h.'],
    [['model.layers.0.mlp.experts.0.w', 'model.layers.0.mlp.experts.1.w', 'model.layers.1.a'], 'model.layers.'],
    [
      ['vision.layers.0.a', 'vision.layers.1.a', 'vision.layers.2.a', 'text.layers.0.a', 'text.layers.1.a'],
      'text.layers.',
    ],
    [
      ['model.tower.layers.0.a', 'model.tower.layers.1.a', 'model.layers.0.a', 'model.layers.1.a'].concat(
        'model.embed_tokens.weight',
      ),
      'model.layers.',
    ],
  ])('of %j is %s', (names, prefix) => {
    expect(findLayers(names, 2)).toEqual({ prefix, extraLayers: 0 })
  })

  it('takes layers for multi-token prediction behind the last one, if they are stored', () => {
    const stored = ['model.layers.0.a', 'model.layers.1.a', 'model.layers.2.a']
    expect(findLayers(stored, 2, 1)).toEqual({ prefix: 'model.layers.', extraLayers: 1 })
    expect(findLayers(stored, 3, 1)).toEqual({ prefix: 'model.layers.', extraLayers: 0 })
    expect(() => findLayers(stored, 1, 1)).toThrow('model.layers.N (3 of them)')
  })

  it.each([
    [['model.layers.0.a', 'model.layers.1.a', 'model.layers.2.a'], 'model.layers.N (3 of them)'],
    [['model.layers.0.a', 'model.layers.2.a'], 'model.layers.N (2 of them)'],
    [['a.layers.0.a', 'a.layers.1.a', 'b.layers.0.a', 'b.layers.1.a'], 'a.layers.N (2 of them), b.layers.N'],
    [['lm_head.weight'], 'no numbered name'],
  ])('refuses %j', (names, found) => {
    expect(() => findLayers(names, 2)).toThrow(found)
  })
})

describe('renumber', () => {
  const layers = keepLayers(12, [{ start: 1, end: 3 }])
  it.each([
    ['h.0.a', 'h.0.a'],
    ['h.1.a', undefined],
    ['h.2.a', undefined],
    ['h.3.experts.1.w', 'h.1.experts.1.w'],
    ['h.11.a', 'h.9.a'],
    ['other.1.a', 'other.1.a'],
    ['h.norm', 'h.norm'],
  ])('%s becomes %s', (name, expected) => {
    expect(renumber(name, 'h.', layers)).toBe(expected)
  })

  it('gives layers for multi-token prediction the next numbers', () => {
    const withExtra = keepExtraLayers(layers, 2)
    expect(['h.11.a', 'h.12.a', 'h.13.a', 'h.14.a'].map((name) => renumber(name, 'h.', withExtra))).toEqual([
      'h.9.a',
      'h.10.a',
      'h.11.a',
      undefined,
    ])
  })
})

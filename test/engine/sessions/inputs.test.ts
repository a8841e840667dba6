import * as ort from 'onnxruntime-node'
import { describe, expect, it } from 'vitest'
import { planInputs } from '../../../src/engine/sessions/inputs.js'
import type { ModelConfig } from '../../../src/files/checkpoint/config.js'
import { DataType, makeGraph, makeValueInfo } from '../../../src/model/graph/onnx/onnx.js'

const CONFIG = { kvHeads: 2, headDim: 8 } as ModelConfig
const BATCH = [
  { ids: [5, 6, 7], origin: 'first' },
  { ids: [8], origin: 'second' },
]

function feed(name: string, type: DataType, shape: (number | string)[]) {
  const input = [makeValueInfo(name, type, shape)]
  const graph = makeGraph({ name: 'decoder', node: [], input, output: [] })
  return planInputs(ort, graph, CONFIG, new Set()).get(name)!(BATCH, 3)
}

describe('position_ids', () => {
  it('are counted for each text', () => {
    const { data, dims } = feed('position_ids', DataType.INT64, ['batch', 'tokens'])
    expect(dims).toEqual([2, 3])
    expect([...(data as BigInt64Array)].map(Number)).toEqual([0, 1, 2, 0, 1, 2])
  })

  it('are the same for time, height and width', () => {
    const { data, dims } = feed('position_ids', DataType.INT64, [3, 'batch', 'tokens'])
    expect(dims).toEqual([3, 2, 3])
    expect([...(data as BigInt64Array)].map(Number)).toEqual(Array(6).fill([0, 1, 2]).flat())
  })

  it('are refused if the graph leaves open how many a token has', () => {
    expect(() => feed('position_ids', DataType.INT64, ['kinds', 'batch', 'tokens'])).toThrow(
      'position_ids has the shape [kinds, batch, tokens], expected [batch, tokens] or [3, batch, tokens]',
    )
  })
})

describe('caches', () => {
  it.each(['past_key_values.0.key', 'past.0.value', 'past_key_values.0.decoder.key'])('%s is empty', (name) => {
    expect(feed(name, DataType.FLOAT, ['batch', 'heads', 'past', 'size']).dims).toEqual([2, 2, 0, 8])
  })

  it.each([
    ['past.0.conv', DataType.FLOAT, ['batch_size', 64, 3], [2, 64, 3]],
    ['past_conv.0', DataType.FLOAT16, ['batch_size', 64, 3], [2, 64, 3]],
    ['past.0.recurrent', DataType.FLOAT, ['batch_size', 4, 16, 16], [2, 4, 16, 16]],
    ['past_ssm.0', DataType.FLOAT, [1, 4, 16, 16], [1, 4, 16, 16]],
  ] as const)('%s is zero', (name, type, shape, dims) => {
    const tensor = feed(name, type, [...shape])
    expect(tensor.dims).toEqual(dims)
    expect([...(tensor.data as Float32Array)].every((value) => value === 0)).toBe(true)
  })

  it('take a negative size for one that is not fixed, as ONNX Runtime does', () => {
    expect(feed('past_key_values.0.key', DataType.FLOAT, ['batch', -1, 'past', -1]).dims).toEqual([2, 2, 0, 8])
  })

  it.each([2 ** 40, 2 ** 62])('are refused if they have a size of %d', (size) => {
    expect(() => feed('past_key_values.0.key', DataType.FLOAT, ['batch', size, 'past', 8])).toThrow(
      /^graph input past_key_values\.0\.key has the shape \[batch, \d+, past, 8\], expected at most/,
    )
  })

  it('are refused if more of a state than the batch is open', () => {
    expect(() => feed('past.0.conv', DataType.FLOAT, ['batch', 64, 'width'])).toThrow(
      'cache input past.0.conv has the shape [batch, 64, width], expected one that is fixed but for the batch',
    )
  })
})

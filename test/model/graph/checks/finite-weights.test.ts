import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { decodeFloats } from '../../../../src/files/weights/decode-floats.js'
import { findNonFinite } from '../../../../src/files/weights/find-non-finite.js'
import { assertFiniteWeights } from '../../../../src/model/graph/checks/finite-weights.js'
import type { DecoderGraph } from '../../../../src/model/graph/decoder-graph.js'
import { setExternalData } from '../../../../src/model/graph/onnx/external-data.js'
import { createModel, makeFloatTensor, makeGraph, type TensorProto } from '../../../../src/model/graph/onnx/onnx.js'
import { makeTempFolder } from '../../../support/temp-folder.js'

describe('findNonFinite', () => {
  it.each(['F16', 'BF16'] as const)('tells every number of %s, alone and as the second of two', (dtype) => {
    const all = decodeFloats(new Uint8Array(Uint16Array.from({ length: 1 << 16 }, (_, bits) => bits).buffer), dtype)
    const find = (...bits: number[]) => findNonFinite(new Uint8Array(Uint16Array.from(bits).buffer), dtype)
    const wrong = [...all.keys()].filter((bits) => {
      const [alone, second] = [find(bits), find(0x8001, bits)]
      if (Number.isFinite(all[bits])) return alone !== null || second !== null
      const isRight = (value: number | undefined) => Object.is(value, all[bits])
      return alone?.index !== 0 || second?.index !== 1 || !isRight(alone.value) || !isRight(second.value)
    })
    expect(wrong).toEqual([])
    expect([...all].filter((value) => !Number.isFinite(value)).length).toBeGreaterThan(100)
  })

  it('tells numbers of float32 at the ends of what is finite', () => {
    const finite = [0x00000000, 0x80000000, 0x00000001, 0x7f7fffff, 0xff7fffff, 0x807fffff]
    const others = [0x7f800000, 0xff800000, 0x7f800001, 0xffffffff, 0x7fc00000]
    const bytes = (bits: number[]) => new Uint8Array(Uint32Array.from(bits).buffer)
    expect(findNonFinite(bytes(finite), 'F32')).toBe(null)
    for (const bits of others) expect(findNonFinite(bytes([...finite, bits, 0]), 'F32')?.index).toBe(finite.length)
    expect(findNonFinite(bytes([]), 'F32')).toBe(null)
  })
})

describe('assertFiniteWeights of an ONNX graph', () => {
  const decoder = (tensor: TensorProto, weightsFolder = '/nowhere'): DecoderGraph => {
    const graph = makeGraph({ name: 'graph', node: [], input: [], output: [] })
    graph.initializer.push(tensor)
    return { model: createModel({ graph }), weightsFolder, states: [] }
  }
  const check = (dims: number[], values: number[]) =>
    assertFiniteWeights(decoder(makeFloatTensor('weight', dims, values)))

  it.each([
    ['NaN', [2, 3], [1, 2, 3, 4, Number.NaN, 6], '[1, 1]'],
    ['Infinity', [2, 2], [0, 0, Number.POSITIVE_INFINITY, 0], '[1, 0]'],
    ['-Infinity', [3], [1, 0, Number.NEGATIVE_INFINITY], '[2]'],
    ['NaN', [], [Number.NaN], '[]'],
    ['NaN', [1, 2], [Number.NEGATIVE_INFINITY, Number.NaN], '[0, 0]'],
  ])('refuses %s among weights %j', async (_, dims, values, place) => {
    const found = values.find((value) => !Number.isFinite(value))
    await expect(check(dims, values)).rejects.toThrow(
      `tensor weight at ${place}: expected a finite number, found ${found}`,
    )
  })

  it('takes a mask of zeros and -Infinity, and an infinity by itself', async () => {
    await check([2, 2], [0, Number.NEGATIVE_INFINITY, 0, 0])
    await check([], [Number.NEGATIVE_INFINITY])
    await check([1], [Number.POSITIVE_INFINITY])
  })

  it('reads numbers in the field of floats, and those of another file to its last one', async () => {
    const typed = Object.assign(makeFloatTensor('typed', [2], []), {
      rawData: new Uint8Array(),
      floatData: [1, Number.NaN],
    })
    await expect(assertFiniteWeights(decoder(typed))).rejects.toThrow('tensor typed at [1]')
    const folder = makeTempFolder()
    const values = new Float32Array(300_001)
    const large = makeFloatTensor('large', [300_000], [])
    setExternalData(large, { location: 'data', offsetBytes: 4, sizeBytes: 1_200_000 })
    const write = () => writeFileSync(join(folder, 'data'), new Uint8Array(values.buffer))
    values[0] = Number.NaN
    write()
    await assertFiniteWeights(decoder(large, folder))
    values[values.length - 1] = Number.NaN
    write()
    await expect(assertFiniteWeights(decoder(large, folder))).rejects.toThrow('tensor large at [299999]')
  })
})

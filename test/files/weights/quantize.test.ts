import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readExpression } from '../../../src/engine/sessions/read-floats.js'
import type { TensorLocation } from '../../../src/files/checkpoint/safetensors.js'
import { readSafetensorsHeader } from '../../../src/files/checkpoint/safetensors-header.js'
import { type QuantizedType, quantizeRows } from '../../../src/files/weights/quantize/quantize-rows.js'
import { FIXTURES } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'
import { readTensors } from '../../support/tensor-file.js'

const FILE = join(FIXTURES, 'quantized.safetensors')
const { tensors } = await readSafetensorsHeader(FILE)
const stored = readTensors(FILE)
const numbers = floats('numbers')
const importance = floats('importance')
const WIDTH = importance.length

function floats(name: string): Float32Array {
  return new Float32Array(new Uint8Array(stored.get(name)!.data).buffer)
}

/** Numbers of blocks in a file. */
function decode(type: QuantizedType, part: Pick<TensorLocation, 'file' | 'offsetBytes' | 'sizeBytes'>) {
  const shape = [numbers.length / WIDTH, WIDTH]
  const { file, offsetBytes, sizeBytes } = part
  const place = { name: type, dtype: 'U8' as const, shape: [sizeBytes], file, offsetBytes, sizeBytes }
  return readExpression({ kind: 'ggml-blocks', type, shape, part: place })
}

async function decodeOwn(type: QuantizedType, bytes: Uint8Array): Promise<Float32Array> {
  const file = join(makeTempFolder(), 'blocks')
  writeFileSync(file, bytes)
  return decode(type, { file, offsetBytes: 0, sizeBytes: bytes.length })
}

function weightedError(found: Float32Array, weights?: Float32Array): number {
  return numbers.reduce((sum, value, index) => {
    return sum + (weights?.[index % WIDTH] ?? 1) * (value - found[index]!) ** 2
  }, 0)
}

describe('rounding to blocks', () => {
  it.each(['Q8_0', 'Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'MXFP4'] as const)('gives the bytes of ggml: %s', (type) => {
    const expected = new Uint8Array(stored.get(type)!.data)
    expect(quantizeRows(numbers, WIDTH, type)).toEqual(expected)
  })

  it.each([
    ['Q4_K', 'Q4_K', false],
    ['Q5_K', 'Q5_K', false],
    ['Q6_K', 'Q6_K', false],
    ['Q4_0 with the importance of columns', 'Q4_0', true],
    ['Q4_1 with the importance of columns', 'Q4_1', true],
    ['Q5_0 with the importance of columns', 'Q5_0', true],
    ['Q5_1 with the importance of columns', 'Q5_1', true],
    ['Q4_K with the importance of columns', 'Q4_K', true],
    ['Q5_K with the importance of columns', 'Q5_K', true],
    ['Q6_K with the importance of columns', 'Q6_K', true],
  ] as const)('loses no more than ggml does: %s', async (_, type, isImportant) => {
    const weights = isImportant ? importance : undefined
    const own = await decodeOwn(type, quantizeRows(numbers, WIDTH, type, weights))
    const theirs = await decode(type, tensors.get(isImportant ? `${type}.important` : type)!)
    expect(weightedError(own, weights) / weightedError(theirs, weights)).toBeLessThan(1.002)
  })

  it('rounds zeros to zeros', async () => {
    for (const type of ['Q8_0', 'Q4_0', 'Q5_1', 'Q4_K', 'Q6_K', 'MXFP4'] as const) {
      const own = await decodeOwn(type, quantizeRows(new Float32Array(numbers.length), WIDTH, type))
      expect(
        own.every((value) => value === 0),
        type,
      ).toBe(true)
    }
  })
})

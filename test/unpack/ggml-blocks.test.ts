import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { GGML_BLOCKS, type GgmlBlockType } from '../../src/checkpoint/ggml-types.js'
import { readSafetensorsHeader } from '../../src/checkpoint/safetensors-header.js'
import { type GgmlBlocksExpression, listParts } from '../../src/checkpoint/weight-expression.js'
import { readExpression } from '../../src/engine/read-floats.js'
import { findNonFiniteNumber } from '../../src/graph/finite-parts.js'
import { WeightReader } from '../../src/graph/weight-reader.js'
import { takeRows } from '../../src/unpack/take-rows.js'
import { FIXTURES } from '../support/paths.js'
import { makeTempFolder } from '../support/temp-folder.js'
import { readTensors } from '../support/tensor-file.js'

const FILE = join(FIXTURES, 'ggml-blocks.safetensors')
const { tensors } = await readSafetensorsHeader(FILE)
const stored = readTensors(FILE)
const TYPES = Object.keys(GGML_BLOCKS) as GgmlBlockType[]

function expressionOf(type: GgmlBlockType): GgmlBlocksExpression {
  const { shape } = tensors.get(`${type}.numbers`)!
  return { kind: 'ggml-blocks', type, shape, part: tensors.get(type)! }
}

function numbersOf(type: GgmlBlockType): Float32Array {
  const { data } = stored.get(`${type}.numbers`)!
  return new Float32Array(new Uint8Array(data).buffer)
}

describe.each(TYPES)('%s', (type) => {
  it('has the numbers of gguf, bit for bit', async () => {
    expect(await readExpression(expressionOf(type))).toEqual(numbersOf(type))
  })

  it('is read from its second row on', async () => {
    const expected = numbersOf(type)
    const row = takeRows(expressionOf(type), 1, 2)
    expect(row.kind).toBe('ggml-blocks')
    expect(await readExpression(row)).toEqual(expected.slice(expected.length / 2))
  })
})

describe('scales that are not finite', () => {
  const withHalves = TYPES.filter((type) => GGML_BLOCKS[type].halves.length > 0)

  async function find(type: GgmlBlockType, change: (bytes: Buffer) => void) {
    const bytes = Buffer.from(stored.get(type)!.data)
    change(bytes)
    const file = join(makeTempFolder(), type)
    writeFileSync(file, bytes)
    const part = { ...tensors.get(type)!, file, offsetBytes: 0 }
    const reader = new WeightReader()
    const [read] = listParts({ ...expressionOf(type), part })
    return findNonFiniteNumber(read!, reader).finally(() => reader.close())
  }

  it.each(withHalves)('of %s are found, whatever bits the codes have', async (type) => {
    expect(await find(type, () => {})).toBeNull()
    const { bytes: blockBytes, halves } = GGML_BLOCKS[type]
    const last = halves.at(-1)! + blockBytes
    expect(await find(type, (bytes) => bytes.writeUInt16LE(0xfc00, last))).toEqual({
      index: last,
      value: -Infinity,
    })
  })
})

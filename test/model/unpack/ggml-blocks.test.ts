import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { TensorProtoSchema } from 'onnx-buf'
import { describe, expect, it } from 'vitest'
import { readExpression } from '../../../src/engine/sessions/read-floats.js'
import { createSession } from '../../../src/engine/sessions/session.js'
import { GGML_BLOCKS, type GgmlBlockType } from '../../../src/files/checkpoint/ggml-types.js'
import { readSafetensorsHeader } from '../../../src/files/checkpoint/safetensors-header.js'
import { type GgmlBlocksExpression, listParts } from '../../../src/files/checkpoint/weight-expression.js'
import { findNonFiniteNumber } from '../../../src/model/graph/checks/finite-parts.js'
import {
  createModel,
  DataLocation,
  DataType,
  makeGraph,
  makeInt64Tensor,
  makeNode,
  makeValueInfo,
} from '../../../src/model/graph/onnx/onnx.js'
import { WeightReader } from '../../../src/model/graph/weight-reader.js'
import { takeRows } from '../../../src/model/unpack/take-rows.js'
import { ONE_THREAD } from '../../support/fixture-model.js'
import { FIXTURES } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'
import { readTensors } from '../../support/tensor-file.js'

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

/** Rows of a table by their numbers, as a decoder's graph looks up tokens. */
async function lookUp(expression: GgmlBlocksExpression, rows: number[]): Promise<number[]> {
  const table = create(TensorProtoSchema, {
    name: 'table',
    dataType: DataType.FLOAT,
    dims: expression.shape.map(BigInt),
    dataLocation: DataLocation.EXTERNAL,
  })
  const graph = {
    ...makeGraph({
      name: 'look_up',
      node: [makeNode('Gather', ['table', 'ids'], ['rows'])],
      input: [],
      output: [makeValueInfo('rows', DataType.FLOAT, [rows.length, expression.shape[1]!])],
    }),
    initializer: [table, makeInt64Tensor('ids', [rows.length], rows)],
  }
  const model = createModel({ irVersion: 10n, opsetImport: [{ domain: '', version: 21n }] as never, graph })
  const packed = new Map([['table', expression]])
  const ort = await import('onnxruntime-node')
  const session = await createSession(ort, { model, weightsFolder: FIXTURES, states: [], packed }, ONE_THREAD)
  const { rows: found } = await session.run({})
  await session.release()
  return [...(found!.data as Float32Array)]
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

  it('is looked up by rows', async () => {
    const expected = numbersOf(type)
    const [first, second] = [0, 1].map((row) =>
      [...expected].slice((row * expected.length) / 2).slice(0, expected.length / 2),
    )
    expect(await lookUp(expressionOf(type), [1, 0, 1])).toEqual([...second!, ...first!, ...second!])
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

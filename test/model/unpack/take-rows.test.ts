import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { TensorProtoSchema } from 'onnx-buf'
import * as ort from 'onnxruntime-node'
import { describe, expect, it } from 'vitest'
import { readExpression } from '../../../src/engine/sessions/read-floats.js'
import { createSession } from '../../../src/engine/sessions/session.js'
import type { SafetensorsDtype } from '../../../src/files/checkpoint/safetensors-dtype.js'
import { listParts, type StoredPart, type WeightExpression } from '../../../src/files/checkpoint/weight-expression.js'
import {
  createModel,
  DataLocation,
  DataType,
  makeGraph,
  makeNode,
  makeValueInfo,
} from '../../../src/model/graph/onnx/onnx.js'
import { takeRows } from '../../../src/model/unpack/take-rows.js'
import { buildFrom, ONE_THREAD } from '../../support/fixture-model.js'
import { FIXTURES } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const PACKED = join(FIXTURES, 'packed')
const file = join(makeTempFolder(), 'bytes')
writeFileSync(
  file,
  Uint8Array.from({ length: 4096 }, (_, index) => (index * 37) % 127),
)

function part(dtype: SafetensorsDtype, shape: number[], bytes: number): StoredPart {
  const sizeBytes = shape.reduce((product, size) => product * size, bytes)
  return { name: `${dtype} ${shape}`, dtype, shape, file, offsetBytes: 64, sizeBytes }
}

const stored = (dtype: SafetensorsDtype, shape: number[], bytes: number): WeightExpression => ({
  kind: 'stored',
  shape,
  part: part(dtype, shape, bytes),
})

function times(left: WeightExpression, right: WeightExpression, block: number[]): WeightExpression {
  return { kind: 'combined', shape: left.shape, operation: 'Mul', left, right, block }
}

const codes = (shape: number[]) => stored('F8_E4M3', shape, 1)
const scales = (shape: number[]) => stored('U8', shape, 1)
const nibbles: WeightExpression = {
  kind: 'lookup',
  shape: [2, 6, 8],
  part: part('U8', [2, 6, 4], 1),
  bits: 4,
  isHighFirst: false,
  table: Array.from({ length: 16 }, (_, code) => code - 5),
}

/** Stacks of two matrices of 6 rows, but for the first. */
const EXPRESSIONS: Record<string, WeightExpression> = {
  'blocks of rows that do not divide them': times(codes([10, 8]), scales([3, 2]), [4, 4]),
  'blocks in a stack': times(codes([2, 6, 8]), scales([2, 3, 2]), [1, 2, 4]),
  'blocks in a stack that do not divide its matrices': times(codes([2, 6, 8]), scales([2, 2, 2]), [1, 4, 4]),
  'a scale for each matrix of a stack': times(codes([2, 6, 8]), scales([2, 1, 1]), [1, 6, 8]),
  'a scale for all': times(codes([2, 6, 8]), scales([1, 1, 1]), [2, 6, 8]),
  'a scale for each row': times(codes([2, 6, 8]), scales([2, 6, 1]), [1, 1, 8]),
  'codes of half a byte': nibbles,
  'integers of 6 bits': { kind: 'integers', shape: [2, 6, 8], part: part('U8', [2, 6, 6], 1), bits: 6 },
  'a transposed stack': { kind: 'transposed', shape: [2, 8, 6], of: nibbles },
  'a sum with a product of two matrices': {
    kind: 'combined',
    shape: [12, 8],
    operation: 'Add',
    left: codes([12, 8]),
    right: { kind: 'product', shape: [12, 8], left: scales([12, 2]), right: scales([2, 8]) },
    block: [1, 1],
  },
  'words along rows': { kind: 'row-words', shape: [16, 6], part: part('I32', [2, 6], 4), bits: 4 },
}

describe('rows of an expression are those of the whole', () => {
  it.each(Object.entries(EXPRESSIONS))('%s', async (_, expression) => {
    const whole = await readExpression(expression)
    const width = expression.shape.at(-1)!
    const rows = whole.length / width
    for (const [start, end] of [
      [0, rows],
      [rows / 2, rows],
      [1, 3],
      [3, rows - 1],
    ] as const) {
      const taken = takeRows(expression, start, end)
      expect(taken.shape).toEqual([end - start, width])
      expect([...(await readExpression(taken))]).toEqual([...whole.subarray(start * width, end * width)])
    }
  })

  it('and only they are read if they lie together', () => {
    const stack = EXPRESSIONS['blocks in a stack']!
    const sizes = listParts(takeRows(stack, 6, 12)).map(({ part }) => [part.offsetBytes, part.sizeBytes])
    expect(sizes).toEqual([
      [64 + 48, 48],
      [64 + 6, 6],
    ])
  })
})

/** Rows of a table as a decoder looks them up, [2, 2, width]. */
async function lookUp(table: WeightExpression, ids: number[]): Promise<number[]> {
  const name = 'table'
  const dims = table.shape.map(BigInt)
  const dataLocation = DataLocation.EXTERNAL
  const graph = makeGraph({
    name: 'look_up',
    node: [makeNode('Gather', [name, 'ids'], ['rows'])],
    input: [makeValueInfo('ids', DataType.INT64, ['batch', 'tokens'])],
    output: [makeValueInfo('rows', DataType.FLOAT, ['batch', 'tokens', table.shape[1]!])],
  })
  graph.initializer = [create(TensorProtoSchema, { name, dims, dataType: DataType.FLOAT, dataLocation })]
  const model = createModel({ irVersion: 10n, opsetImport: [{ domain: '', version: 21n }], graph })
  const decoder = {
    model,
    weightsFolder: PACKED,
    states: [],
    packed: new Map([[name, table]]),
    castsPerRun: true,
  }
  const session = await createSession(ort, decoder, ONE_THREAD)
  const { rows } = await session.run({
    ids: new ort.Tensor('int64', BigInt64Array.from(ids, BigInt), [2, 2]),
  })
  await session.release()
  expect(rows!.dims).toEqual([2, 2, table.shape[1]])
  return [...(rows!.data as Float32Array)]
}

const IDS = [3, 31, 0, 3]

describe('rows that are looked up are those of the whole', () => {
  it.each(readdirSync(PACKED).filter((name) => name !== 'mxfp4-experts'))('of %s', async (name) => {
    const { decoder } = await buildFrom(join(PACKED, name))
    const expression = decoder.packed!.get('model.layers.0.self_attn.k_proj.weight')!
    const whole = await readExpression(expression)
    const width = expression.shape[1]!
    const expected = IDS.flatMap((row) => [...whole.subarray(row * width, (row + 1) * width)])
    expect(await lookUp(expression, IDS)).toEqual(expected)
  })
})

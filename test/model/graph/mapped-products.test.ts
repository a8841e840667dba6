import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { TensorProtoSchema } from 'onnx-buf'
import * as ort from 'onnxruntime-node'
import { describe, expect, it } from 'vitest'
import { createRandom } from '../../../src/base/random.js'
import { createSession } from '../../../src/engine/sessions/session.js'
import type { DecoderGraph } from '../../../src/model/graph/decoder-graph.js'
import { findMappableMatrices, LEAST_ROWS } from '../../../src/model/graph/mapped-products.js'
import { setExternalData } from '../../../src/model/graph/onnx/external-data.js'
import {
  createModel,
  DataType,
  MICROSOFT_DOMAIN,
  makeGraph,
  makeInt64Tensor,
  makeNode,
  makeValueInfo,
  type NodeProto,
  type TensorProto,
} from '../../../src/model/graph/onnx/onnx.js'
import { ONE_THREAD } from '../../support/fixture-model.js'
import { makeTempFolder } from '../../support/temp-folder.js'

/** More inputs than ONNX Runtime adds up in one run of either length. */
const INPUTS = 600
const OUTPUTS = 192

function randomFloats(count: number, seed: number): Float32Array {
  const random = createRandom(seed)
  return Float32Array.from({ length: count }, () => random.below(2 ** 24) / 2 ** 24 - 0.5)
}

function makeStored(name: string, dataType: DataType, dims: number[], folder = '/nowhere'): TensorProto {
  const tensor = create(TensorProtoSchema, { name, dataType, dims: dims.map(BigInt) })
  const floats = randomFloats(dims[0]! * dims[1]!, 7)
  const halves = Uint16Array.from(new Uint32Array(floats.buffer), (bits) => bits >>> 16)
  const bytes = new Uint8Array((dataType === DataType.BFLOAT16 ? halves : floats).buffer)
  if (folder !== '/nowhere') writeFileSync(join(folder, name), bytes)
  setExternalData(tensor, { location: name, offsetBytes: 0, sizeBytes: bytes.length })
  return tensor
}

const multiply = (tokens: string, matrix: string, product: string): NodeProto =>
  makeNode('FusedMatMul', [tokens, matrix], [product], { transB: 1 }, MICROSOFT_DOMAIN)

function makeDecoder(node: NodeProto[], initializer: TensorProto[], weightsFolder = '/nowhere'): DecoderGraph {
  const graph = makeGraph({
    name: 'products',
    node,
    input: [makeValueInfo('tokens', DataType.FLOAT, ['batch', 'tokens', INPUTS])],
    output: [makeValueInfo('product', DataType.FLOAT, ['batch', 'tokens', OUTPUTS])],
  })
  graph.initializer = initializer
  const opsetImport = [
    { domain: '', version: 21n },
    { domain: MICROSOFT_DOMAIN, version: 1n },
  ]
  return { model: createModel({ irVersion: 10n, opsetImport, graph }), weightsFolder, states: [] }
}

describe('mapMatrices', () => {
  it.each([DataType.FLOAT, DataType.BFLOAT16])(
    'gives the numbers of packed matrices to the last bit, stored as type %i',
    async (dataType) => {
      const folder = makeTempFolder()
      const stored = makeStored('matrix', dataType, [OUTPUTS, INPUTS], folder)
      const cast = makeNode('Cast', ['matrix'], ['floats'], { to: DataType.FLOAT })
      const node =
        dataType === DataType.FLOAT
          ? [multiply('tokens', 'matrix', 'product')]
          : [cast, multiply('tokens', 'floats', 'product')]
      const decoder = makeDecoder(node, [stored], folder)
      const packed = await createSession(ort, decoder, ONE_THREAD)
      const mapped = await createSession(ort, { ...decoder, mapsMatrices: true }, ONE_THREAD)
      for (const [batch, tokens] of [
        [1, LEAST_ROWS],
        [1, 7],
        [3, 50],
      ] as const) {
        const rows = randomFloats(batch * tokens * INPUTS, tokens)
        const feeds = { tokens: new ort.Tensor('float32', rows, [batch, tokens, INPUTS]) }
        const [expected, found] = [await packed.run(feeds), await mapped.run(feeds)]
        expect(found.product!.dims).toEqual([batch, tokens, OUTPUTS])
        expect(found.product!.data).toEqual(expected.product!.data)
      }
      await packed.release()
      await mapped.release()
    },
  )
})

describe('findMappableMatrices', () => {
  const matrix = makeStored('matrix', DataType.FLOAT, [OUTPUTS, INPUTS])
  const find = (node: NodeProto[], initializer = [matrix]) => [
    ...findMappableMatrices(makeDecoder(node, initializer).model.graph).keys(),
  ]

  it('finds what products alone read, whose outputs can be divided into tiles', () => {
    const uneven = makeStored('uneven', DataType.FLOAT, [OUTPUTS + 8, INPUTS])
    const nodes = [multiply('tokens', 'matrix', 'product'), multiply('tokens', 'uneven', 'other')]
    expect(find(nodes, [matrix, uneven])).toEqual(['matrix'])
    expect(find([...nodes, makeNode('Gather', ['matrix', 'ids'], ['rows'])], [matrix, uneven])).toEqual([])
  })

  it('omits the matrices of experts, and finds those behind them', () => {
    const counts = makeNode('ReduceSum', ['chosen', 'axes'], ['counts'])
    const part = (sizes: string) => [
      makeNode('Split', ['tokens', sizes], ['part', 'rest'], { axis: 0 }),
      makeNode('Relu', ['part'], ['active']),
    ]
    const product = multiply('active', 'matrix', 'product')
    const sizes = makeInt64Tensor('sizes', [2], [1, 1])
    expect(find([counts, ...part('counts'), product])).toEqual([])
    expect(find([...part('sizes'), product], [matrix, sizes])).toEqual(['matrix'])
    const joined = makeNode('Concat', ['part', 'rest'], ['active'], { axis: 0 })
    expect(find([counts, part('counts')[0]!, joined, product])).toEqual(['matrix'])
  })
})

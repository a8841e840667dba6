import { create } from '@bufbuild/protobuf'
import { ModelProtoSchema } from 'onnx-buf'
import type { InferenceSession } from 'onnxruntime-node'
import { releaseAll } from '../../engine/sessions/session.js'
import {
  DataType,
  makeGraph,
  makeNode,
  makeValueInfo,
  type NodeProto,
  serializeModel,
} from '../../model/graph/onnx/onnx.js'

/** A dense matrix, row-major. */
export interface Tile {
  rows: number
  columns: number
  data: Float64Array
}

/** Products of tiles in float64, run by ONNX Runtime; each writes its result over the numbers of the last tile. */
export interface TileProducts {
  multiply(a: Tile, b: Tile, result: Tile): Promise<void>
  multiplyLeftTransposed(a: Tile, b: Tile, result: Tile): Promise<void>
  /** c minus a times b. */
  subtract(a: Tile, b: Tile, c: Tile): Promise<void>
  /** c minus the transpose of a times b. */
  subtractLeftTransposed(a: Tile, b: Tile, c: Tile): Promise<void>
  /** d times what c is less the transpose of a times b. */
  eliminate(d: Tile, a: Tile, b: Tile, c: Tile): Promise<void>
  close(): Promise<void>
}

const IR_VERSION = 10n
const OPSET = 21n

/** Opens the products; each keeps no state between calls. */
export async function openTileProducts(threads?: number): Promise<TileProducts> {
  const ort = await import('onnxruntime-node')
  const open = (inputs: string[], node: NodeProto[]) => openProduct(ort, inputs, node, threads)
  const gemm = (inputs: string[], output: string, transA: number) =>
    makeNode('Gemm', inputs, [output], { transA, ...(inputs.length > 2 ? { alpha: { float: -1 } } : {}) })
  const product = open(['a', 'b'], [gemm(['a', 'b'], 'y', 0)])
  const transposed = open(['a', 'b'], [gemm(['a', 'b'], 'y', 1)])
  const difference = open(['a', 'b', 'c'], [gemm(['a', 'b', 'c'], 'y', 0)])
  const transposedDifference = open(['a', 'b', 'c'], [gemm(['a', 'b', 'c'], 'y', 1)])
  const elimination = open(['a', 'b', 'c', 'd'], [gemm(['a', 'b', 'c'], 'rest', 1), gemm(['d', 'rest'], 'y', 0)])
  const sessions = [product, transposed, difference, transposedDifference, elimination]
  const close = () => releaseAll(sessions)
  await Promise.all(sessions).catch(async (cause) => {
    await close()
    throw cause
  })
  const tensor = ({ rows, columns, data }: Tile) => new ort.Tensor('float64', data, [rows, columns])
  const run = async (session: Promise<InferenceSession>, tiles: Record<string, Tile>, result: Tile) => {
    const feeds = Object.fromEntries(Object.entries(tiles).map(([name, tile]) => [name, tensor(tile)]))
    await (await session).run(feeds, { y: tensor(result) })
  }
  return {
    multiply: (a, b, result) => run(product, { a, b }, result),
    multiplyLeftTransposed: (a, b, result) => run(transposed, { a, b }, result),
    subtract: (a, b, c) => run(difference, { a, b, c }, c),
    subtractLeftTransposed: (a, b, c) => run(transposedDifference, { a, b, c }, c),
    eliminate: (d, a, b, c) => run(elimination, { a, b, c, d }, c),
    close,
  }
}

function openProduct(
  ort: typeof import('onnxruntime-node'),
  inputs: string[],
  node: NodeProto[],
  threads: number | undefined,
): Promise<InferenceSession> {
  const matrix = (name: string) => makeValueInfo(name, DataType.DOUBLE, [`${name}_rows`, `${name}_columns`])
  const model = create(ModelProtoSchema, {
    irVersion: IR_VERSION,
    producerName: 'layerprune',
    opsetImport: [{ domain: '', version: OPSET }],
    graph: makeGraph({ name: 'tile_product', node, input: inputs.map(matrix), output: [matrix('y')] }),
  })
  return ort.InferenceSession.create(serializeModel(model), {
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
    // sessions that run in turn: the busy threads of one would take time from the next
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  })
}

import { create } from '@bufbuild/protobuf'
import { ModelProtoSchema } from 'onnx-buf'
import type { InferenceSession, TypedTensor } from 'onnxruntime-node'
import { releaseAll } from '../engine/session.js'
import { DataType, makeGraph, makeNode, makeValueInfo, serializeModel } from '../graph/onnx.js'

/** A small dense matrix, row-major. */
export interface Tile {
  rows: number
  columns: number
  data: Float64Array
}

/** Products of tiles in float64, run by ONNX Runtime. */
export interface TileProducts {
  /** a times b. */
  multiply(a: Tile, b: Tile): Promise<Tile>
  /** c minus a times b. */
  subtract(c: Tile, a: Tile, b: Tile): Promise<Tile>
  /** c minus a times the transpose of b. */
  subtractTransposed(c: Tile, a: Tile, b: Tile): Promise<Tile>
  /** c minus the transpose of a times b. */
  subtractLeftTransposed(c: Tile, a: Tile, b: Tile): Promise<Tile>
  close(): Promise<void>
}

const IR_VERSION = 10n
const OPSET = 21n

/** Opens the products; each keeps no state between calls. */
export async function openTileProducts(threads?: number): Promise<TileProducts> {
  const ort = await import('onnxruntime-node')
  const open = (attributes: Parameters<typeof makeNode>[3]) => openGemm(ort, attributes, threads)
  const product = open({ alpha: { float: 1 } })
  const difference = open({ alpha: { float: -1 } })
  const rightTransposed = open({ alpha: { float: -1 }, transB: 1 })
  const leftTransposed = open({ alpha: { float: -1 }, transA: 1 })
  const sessions = [product, difference, rightTransposed, leftTransposed]
  const close = () => releaseAll(sessions)
  await Promise.all(sessions).catch(async (cause) => {
    await close()
    throw cause
  })
  const run = async (
    session: Promise<InferenceSession>,
    [rows, columns]: [number, number],
    ...tiles: Tile[]
  ) => {
    const feeds = Object.fromEntries(
      tiles.map((tile, index) => [
        'abc'[index]!,
        new ort.Tensor('float64', tile.data, [tile.rows, tile.columns]),
      ]),
    )
    const { y } = await (await session).run(feeds)
    return { rows, columns, data: (y as TypedTensor<'float64'>).data }
  }
  return {
    multiply: (a, b) => {
      const zero = { rows: 1, columns: 1, data: new Float64Array(1) }
      return run(product, [a.rows, b.columns], a, b, zero)
    },
    subtract: (c, a, b) => run(difference, [c.rows, c.columns], a, b, c),
    subtractTransposed: (c, a, b) => run(rightTransposed, [c.rows, c.columns], a, b, c),
    subtractLeftTransposed: (c, a, b) => run(leftTransposed, [c.rows, c.columns], a, b, c),
    close,
  }
}

function openGemm(
  ort: typeof import('onnxruntime-node'),
  attributes: Parameters<typeof makeNode>[3],
  threads: number | undefined,
): Promise<InferenceSession> {
  const matrix = (name: string) => makeValueInfo(name, DataType.DOUBLE, [`${name}_rows`, `${name}_columns`])
  const model = create(ModelProtoSchema, {
    irVersion: IR_VERSION,
    producerName: 'layerprune',
    opsetImport: [{ domain: '', version: OPSET }],
    graph: makeGraph({
      name: 'tile_product',
      node: [makeNode('Gemm', ['a', 'b', 'c'], ['y'], attributes)],
      input: [matrix('a'), matrix('b'), matrix('c')],
      output: [matrix('y')],
    }),
  })
  return ort.InferenceSession.create(serializeModel(model), {
    enableCpuMemArena: false,
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
  })
}

import {
  createOwnModel,
  DataType,
  makeFloatTensor,
  makeGraph,
  makeNode,
  makeValueInfo,
} from '../../model/graph/onnx/onnx.js'
import { createSession } from './session.js'

/** Not a power of two: rows a whole number of pages apart evict each other from the cache of some processors. */
const SIZE = 1000
const RUNS = 50

/** Measures the fastest of several 1000 x 1000 float32 matrix products, in 1e9 floating-point operations per second. */
export async function measurePeak(threads: number | undefined, runs = RUNS): Promise<number> {
  const ort = await import('onnxruntime-node')
  const graph = makeGraph({
    name: 'peak',
    node: [makeNode('MatMul', ['left', 'right'], ['product'])],
    input: [makeValueInfo('left', DataType.FLOAT, [SIZE, SIZE])],
    output: [makeValueInfo('product', DataType.FLOAT, [SIZE, SIZE])],
  })
  const numbers = Float32Array.from({ length: SIZE * SIZE }, (_, index) => (index % 17) / 17)
  graph.initializer = [makeFloatTensor('right', [SIZE, SIZE], numbers)]
  const model = createOwnModel(graph)
  const session = await createSession(ort, { model, weightsFolder: '', states: [] }, { device: 'cpu', threads })
  const left = new ort.Tensor('float32', numbers, [SIZE, SIZE])
  let fastest = Number.POSITIVE_INFINITY
  for (let run = 0; run < runs; run++) {
    const start = performance.now()
    await session.run({ left })
    fastest = Math.min(fastest, performance.now() - start)
  }
  await session.release()
  return (2 * SIZE ** 3) / (fastest / 1000) / 1e9
}

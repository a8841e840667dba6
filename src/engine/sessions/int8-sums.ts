import {
  createOwnModel,
  DataType,
  makeGraph,
  makeInt8Tensor,
  makeNode,
  makeValueInfo,
  serializeModel,
} from '../../model/graph/onnx/onnx.js'

type Ort = typeof import('onnxruntime-node')

const SIZE = 64
const LARGEST_TOKEN = 255
const LARGEST_WEIGHT = 127

let overflowing: Promise<boolean> | undefined

/** Whether int8 products overflow unless ORT is asked to be exact: x86 without VNNI adds pairs in 16 bits. */
export function int8SumsOverflow(ort: Ort): Promise<boolean> {
  overflowing ??= multiplyLargest(ort).then((sums) => sums.some((sum) => sum !== SIZE * LARGEST_TOKEN * LARGEST_WEIGHT))
  return overflowing
}

async function multiplyLargest(ort: Ort): Promise<Int32Array> {
  const graph = makeGraph({
    name: 'int8_sums',
    node: [makeNode('MatMulInteger', ['tokens', 'weights'], ['sums'])],
    input: [makeValueInfo('tokens', DataType.UINT8, [SIZE, SIZE])],
    output: [makeValueInfo('sums', DataType.INT32, [SIZE, SIZE])],
  })
  const weights = new Int8Array(SIZE * SIZE).fill(LARGEST_WEIGHT)
  graph.initializer = [makeInt8Tensor('weights', [SIZE, SIZE], weights)]
  const model = serializeModel(createOwnModel(graph))
  const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1 })
  try {
    const tokens = new ort.Tensor('uint8', new Uint8Array(SIZE * SIZE).fill(LARGEST_TOKEN), [SIZE, SIZE])
    const { sums } = await session.run({ tokens })
    return sums!.data as Int32Array
  } finally {
    await session.release()
  }
}

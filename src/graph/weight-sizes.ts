import type { DecoderGraph } from './decoder-graph.js'
import { DataLocation, DataType, type NodeProto, type TensorProto } from './onnx.js'
import { indexGraph } from './topology.js'

/** Bits per number of the types that weights are stored in. */
export const ELEMENT_BITS = new Map<number, number>([
  [DataType.FLOAT, 32],
  [DataType.FLOAT16, 16],
  [DataType.BFLOAT16, 16],
  [DataType.INT8, 8],
  [DataType.UINT8, 8],
  [DataType.INT4, 4],
  [DataType.UINT4, 4],
])

export function countDims({ dims }: TensorProto): number {
  return dims.reduce((product, dim) => product * Number(dim), 1)
}

/** Memory that a weight takes once its graph is loaded. */
export interface LoadedWeight {
  bytes: number
  /** Whether it stays mapped from its file. */
  isMapped: boolean
  /** What a run takes in addition if it casts the weight to float32. */
  widened: { form: string; bytes: number } | null
}

/** Whether a weight is a 16-bit matrix; biases and norms are so small that they are cast to float32 once. */
export function isHalfMatrix({ dataType, dims }: TensorProto): boolean {
  return dims.length > 1 && (dataType === DataType.FLOAT16 || dataType === DataType.BFLOAT16)
}

/**
 * Lists the memory that a decoder's weights take. A weight that a cast reads takes float32, because it is cast when the
 * session starts unless the decoder casts per run; any other takes its stored size. Each product with an int8 matrix
 * packs a copy of its own. A table outside the graph that is only looked up stays in its file and is omitted.
 */
export function listLoadedWeights({ model, castsPerRun = false }: DecoderGraph): LoadedWeight[] {
  const { nodes, consumers } = indexGraph(model.graph)
  const readersOf = (name: string) => (consumers.get(name) ?? []).map((reader) => nodes[reader]!)
  const isSplit = ({ opType, output }: NodeProto): boolean =>
    opType === 'Split' || (/^(Cast|Reshape)$/.test(opType) && readersOf(output[0]!).some(isSplit))
  return model.graph.initializer.flatMap((tensor): LoadedWeight[] => {
    const readers = readersOf(tensor.name)
    const stored = ELEMENT_BITS.get(tensor.dataType)
    const isExternal = tensor.dataLocation === DataLocation.EXTERNAL
    const isLookedUp = isExternal && readers.every(({ opType }) => opType === 'Gather')
    if (stored === undefined || isLookedUp) return []
    const count = countDims(tensor)
    const isCast = readers.some(({ opType }) => opType === 'Cast')
    if (isCast && castsPerRun && isHalfMatrix(tensor)) {
      const copies = readers.some(isSplit) ? 2 : 1
      const widened = { form: `${tensor.dims}`, bytes: copies * count * Float32Array.BYTES_PER_ELEMENT }
      return [{ bytes: (count * stored) / 8, isMapped: isExternal, widened }]
    }
    const copies = Math.max(1, readers.filter(({ opType }) => opType === 'MatMulIntegerToFloat').length)
    return [{ bytes: (copies * count * (isCast ? 32 : stored)) / 8, isMapped: false, widened: null }]
  })
}

/**
 * Peak bytes of float32 copies in a run: from the first matrix of a shape to the last, ONNX Runtime keeps the memory of
 * one of them.
 * @param weights in the order in which they are used
 */
export function countWidenedBytes(weights: LoadedWeight[]): number {
  const copies = weights.flatMap(({ widened }) => widened ?? [])
  const last = new Map(copies.map(({ form }, index) => [form, index]))
  const held = new Map<string, number>()
  let most = 0
  for (const [index, { form, bytes }] of copies.entries()) {
    held.set(form, Math.max(bytes, held.get(form) ?? 0))
    most = Math.max(
      most,
      [...held.values()].reduce((sum, bytes) => sum + bytes, 0),
    )
    if (last.get(form) === index) held.delete(form)
  }
  return most
}

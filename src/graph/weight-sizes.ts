import { DataLocation, DataType, type GraphProto, type TensorProto } from './onnx.js'
import { indexGraph } from './topology.js'

/** Of the types that weights are stored in. */
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

/**
 * Bytes that each weight of a graph takes once it is loaded: in float32 where a cast reads it, for that is done when
 * the session starts, and as stored else; of int8, each product puts a copy in order for itself. A table outside the
 * graph that is only looked up stays in its file.
 */
export function listLoadedBytes(graph: GraphProto): number[] {
  const { nodes, consumers } = indexGraph(graph)
  return graph.initializer.flatMap((tensor) => {
    const readers = (consumers.get(tensor.name) ?? []).map((reader) => nodes[reader]!.opType)
    const stored = ELEMENT_BITS.get(tensor.dataType)
    const isMapped =
      tensor.dataLocation === DataLocation.EXTERNAL && readers.every((type) => type === 'Gather')
    if (stored === undefined || isMapped) return []
    const copies = Math.max(1, readers.filter((type) => type === 'MatMulIntegerToFloat').length)
    return [(copies * countDims(tensor) * (readers.includes('Cast') ? 32 : stored)) / 8]
  })
}

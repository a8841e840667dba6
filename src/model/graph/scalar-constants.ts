import { DataType, type GraphProto, type TensorProto } from './onnx/onnx.js'

/** Values of all one-element constants of a graph, its subgraphs included. */
export function listScalars({ node, initializer }: GraphProto): number[] {
  const attributes = node.flatMap(({ opType, attribute }) => attribute.map((held) => ({ opType, ...held })))
  return [
    ...initializer.flatMap(readScalar),
    ...attributes.flatMap(({ opType, name, t, i, f, g, graphs }) => {
      const inner = (g ? [g, ...graphs] : graphs).flatMap(listScalars)
      if (opType !== 'Constant') return inner
      if (t !== undefined) return readScalar(t)
      return name === 'value_int' ? [Number(i)] : name === 'value_float' ? [f] : []
    }),
  ]
}

function readScalar({ dims, dataType, rawData, int64Data, int32Data, floatData }: TensorProto): number[] {
  if (dims.some((size) => size !== 1n)) return []
  const view = new DataView(rawData.buffer, rawData.byteOffset, rawData.byteLength)
  const isRaw = view.byteLength > 0
  switch (dataType) {
    case DataType.INT64:
      return isRaw ? [Number(view.getBigInt64(0, true))] : int64Data.map(Number)
    case DataType.INT32:
      return isRaw ? [view.getInt32(0, true)] : [...int32Data]
    case DataType.FLOAT:
      return isRaw ? [view.getFloat32(0, true)] : [...floatData]
    default:
      return []
  }
}

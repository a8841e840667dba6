import { DataType, type TensorProto } from './onnx/onnx.js'

/** Bits per number of the types that a graph stores. */
export const ELEMENT_BITS: ReadonlyMap<DataType, number> = new Map([
  [DataType.DOUBLE, 64],
  [DataType.INT64, 64],
  [DataType.FLOAT, 32],
  [DataType.INT32, 32],
  [DataType.FLOAT16, 16],
  [DataType.BFLOAT16, 16],
  [DataType.INT8, 8],
  [DataType.UINT8, 8],
  [DataType.INT4, 4],
  [DataType.UINT4, 4],
])

/** Types of shapes, indices and constants, never of weights. */
const NOT_OF_WEIGHTS = new Set<DataType>([DataType.DOUBLE, DataType.INT64, DataType.INT32])

/** Bits per number of a weight; undefined if the tensor's type is not one of weights. */
export function bitsOfWeight({ dataType }: TensorProto): number | undefined {
  return NOT_OF_WEIGHTS.has(dataType) ? undefined : ELEMENT_BITS.get(dataType)
}

export function countDims({ dims }: TensorProto): number {
  return dims.reduce((product, dim) => product * Number(dim), 1)
}

/** Whether a weight is a 16-bit matrix. Biases and norms are small, so they are cast to float32 once. */
export function isHalfMatrix({ dataType, dims }: TensorProto): boolean {
  return dims.length > 1 && (dataType === DataType.FLOAT16 || dataType === DataType.BFLOAT16)
}

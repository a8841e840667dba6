import { DataType, type NodeProto, type TensorProto } from './onnx.js'

export function integerAttribute({ attribute }: NodeProto, name: string, otherwise: number): number {
  const found = attribute.find((candidate) => candidate.name === name)
  return found === undefined ? otherwise : Number(found.i)
}

export function floatAttribute({ attribute }: NodeProto, name: string, otherwise: number): number {
  return attribute.find((candidate) => candidate.name === name)?.f ?? otherwise
}

export function stringAttribute({ attribute }: NodeProto, name: string, otherwise: string): string {
  const found = attribute.find((candidate) => candidate.name === name)
  return found === undefined ? otherwise : new TextDecoder().decode(found.s)
}

/** The integers of a constant; undefined if the tensor is not one. */
export function readConstant(tensor: TensorProto | undefined): number[] | undefined {
  if (tensor?.dataType !== DataType.INT64 || tensor.rawData.length === 0) return undefined
  const { buffer, byteOffset, length } = tensor.rawData
  const view = new DataView(buffer, byteOffset, length)
  return Array.from({ length: length / 8 }, (_, index) => Number(view.getBigInt64(index * 8, true)))
}

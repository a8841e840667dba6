import { float8Values, isFloat8 } from '../../files/checkpoint/float8.js'
import type { ConstantExpression, StoredExpression } from '../../files/checkpoint/weight-expression.js'
import { DataType } from '../graph/onnx/onnx.js'
import type { ExpressionWriter } from './expression-writer.js'

/** Numbers as they are stored, in float32. */
export function writeStored(
  writer: ExpressionWriter,
  { part, shape }: StoredExpression,
  ids: string | undefined,
): string {
  if (ids === undefined) return toFloat(writer, writer.part(part, { dims: shape }), part.dtype)
  if (!isFloat8(part.dtype)) {
    return toFloat(writer, writer.op('Gather', [writer.part(part, { dims: shape }), ids]), part.dtype)
  }
  // ONNX Runtime cannot gather 8-bit floats
  const codes = writer.op('Gather', [writer.part(part, { type: DataType.UINT8, dims: shape }), ids])
  const table = writer.floats(float8Values(part.dtype))
  return writer.op('Gather', [table, writer.cast(codes, DataType.INT32)])
}

function toFloat(writer: ExpressionWriter, numbers: string, dtype: string): string {
  return dtype === 'F32' ? numbers : writer.cast(numbers, DataType.FLOAT)
}

/** One number, broadcast to any shape of the same rank. */
export function writeConstant(writer: ExpressionWriter, { value, shape }: ConstantExpression): string {
  const dims = shape.map(() => 1)
  return writer.floats([value], dims)
}

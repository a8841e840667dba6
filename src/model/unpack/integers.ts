import type { IntegersExpression, RowWordsExpression } from '../../files/checkpoint/weight-expression.js'
import { DataType } from '../graph/onnx/onnx.js'
import type { ExpressionWriter } from './expression-writer.js'

/** Integers with contiguous bits, as float32. */
export function writeIntegers(
  writer: ExpressionWriter,
  expression: IntegersExpression,
  ids: string | undefined,
): string {
  const { part, shape, bits, order } = expression
  if (bits === 8) {
    const bytes = writer.part(part, { type: DataType.UINT8, dims: shape })
    return writer.cast(ids === undefined ? bytes : writer.op('Gather', [bytes, ids]), DataType.FLOAT)
  }
  // ONNX Runtime can cast 4-bit integers, but not gather them
  const codes =
    bits === 4 && ids === undefined
      ? writer.part(part, { type: DataType.UINT4, dims: shape })
      : writeSeparated(writer, expression, ids)
  const integers = writer.cast(codes, DataType.FLOAT)
  if (order === undefined) return integers
  const eights = writer.op('Reshape', [integers, writer.shape([...shape.slice(0, -1), -1, 8], undefined)])
  const ordered = writer.op('Gather', [eights, writer.integers(order)], { axis: -1 })
  return writer.op('Reshape', [ordered, writer.shape(shape, ids)])
}

/** Unpacks integers of n < 8 bits, eight in n bytes, as uint8. */
function writeSeparated(
  writer: ExpressionWriter,
  { part, shape, bits }: IntegersExpression,
  ids: string | undefined,
): string {
  const dims = [...shape.slice(0, -1), shape.at(-1)! / 8, bits]
  const stored = writer.part(part, { type: DataType.UINT8, dims })
  const bytes = writer.ops('Split', [ids === undefined ? stored : writer.op('Gather', [stored, ids])], bits, {
    axis: -1,
    num_outputs: bits,
  })
  const shift = (byte: string, by: number, direction: 'LEFT' | 'RIGHT') =>
    by === 0 ? byte : writer.op('BitShift', [byte, writer.byte(by)], { direction })
  const integers = Array.from({ length: 8 }, (_, index) => {
    const [byte, first] = [Math.floor((index * bits) / 8), (index * bits) % 8]
    const low = shift(bytes[byte]!, first, 'RIGHT')
    const joined = first + bits <= 8 ? low : writer.op('BitwiseOr', [low, shift(bytes[byte + 1]!, 8 - first, 'LEFT')])
    return writer.op('BitwiseAnd', [joined, writer.byte(2 ** bits - 1)])
  })
  return writer.op('Reshape', [writer.op('Concat', integers, { axis: -1 }), writer.shape(shape, ids)])
}

/** Integers whose consecutive rows share 32-bit words, as float32 [rows, columns]. */
export function writeRowWords(writer: ExpressionWriter, { part, shape, bits }: RowWordsExpression): string {
  const [rows, columns] = shape
  const perWord = 32 / bits
  const type = bits === 4 ? DataType.UINT4 : DataType.UINT8
  const words = writer.part(part, { type, dims: [rows / perWord, columns, perWord] })
  const bytes = bits === 4 ? writer.cast(words, DataType.UINT8) : words
  const ordered = writer.op('Transpose', [bytes], { perm: [0, 2, 1] })
  return writer.cast(writer.op('Reshape', [ordered, writer.integers(shape)]), DataType.FLOAT)
}

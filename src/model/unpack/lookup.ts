import type { LookupExpression } from '../../files/checkpoint/weight-expression.js'
import { DataType } from '../graph/onnx/onnx.js'
import type { ExpressionWriter } from './expression-writer.js'

/** Looks up the values of codes; a byte holds two 4-bit codes. */
export function writeLookup(
  writer: ExpressionWriter,
  { part, shape, bits, isHighFirst, table }: LookupExpression,
  ids: string | undefined,
): string {
  const perByte = 8 / bits
  const dims = [...shape.slice(0, -1), shape.at(-1)! / perByte]
  const stored = writer.part(part, { type: DataType.UINT8, dims })
  const bytes = ids === undefined ? stored : writer.op('Gather', [stored, ids])
  const indices = writer.cast(bytes, DataType.INT32)
  if (bits === 8) return writer.op('Gather', [writeTable(writer, table), indices])
  const pairs = Array.from({ length: 256 }, (_, byte) => {
    const [low, high] = [byte & 15, byte >> 4]
    return isHighFirst ? [high, low] : [low, high]
  }).flat()
  const values = writer.op('Gather', [writeTable(writer, table), writer.integers(pairs, [256, 2])])
  return writer.op('Reshape', [writer.op('Gather', [values, indices]), writer.shape(shape, ids)])
}

function writeTable(writer: ExpressionWriter, table: LookupExpression['table']): string {
  return Array.isArray(table)
    ? writer.floats(table)
    : writer.expression({ kind: 'stored', shape: table.shape, part: table })
}

import type {
  GatheredExpression,
  ReshapedExpression,
  RowsExpression,
  TransposedExpression,
} from '../../files/checkpoint/weight-expression.js'
import type { ExpressionWriter } from './expression-writer.js'

export function writeGathered(writer: ExpressionWriter, { of, index }: GatheredExpression): string {
  return writer.op('Gather', [writer.expression(of), writer.part(index)])
}

export function writeTransposed(writer: ExpressionWriter, { of, shape }: TransposedExpression): string {
  const axes = shape.map((_, axis) => axis)
  const [row, column] = axes.splice(-2)
  return writer.op('Transpose', [writer.expression(of)], { perm: [...axes, column!, row!] })
}

export function writeReshaped(writer: ExpressionWriter, { of, shape }: ReshapedExpression): string {
  return writer.op('Reshape', [writer.expression(of), writer.integers(shape)])
}

export function writeRows(writer: ExpressionWriter, { of, shape, start, end }: RowsExpression): string {
  const flat = writer.op('Reshape', [writer.expression(of), writer.integers([-1, shape[1]])])
  return writer.op('Slice', [flat, writer.integers([start]), writer.integers([end]), writer.integers([0])])
}

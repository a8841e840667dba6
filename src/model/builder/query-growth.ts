import type { TemperatureScaling } from '../families/describe/description.js'
import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import { DataType } from '../graph/onnx/onnx.js'
import { type TokenShape, writePositions } from './rope.js'

/** Factors on the queries: float32 [tokens, 1], or [batch, tokens, 1] if texts are prefix trees. */
export function writeTemperatureScaling(
  writer: GraphWriter,
  { rate, period, offset }: TemperatureScaling,
  shape: TokenShape,
): string {
  const scalar = (value: number) => writer.integers([value], [])
  const positions = writePositions(writer, shape, offset)
  const periods = writer.op('Cast', [writer.op('Div', [positions, scalar(period)])], { to: DataType.FLOAT })
  const logarithms = writer.op('Log', [writer.op('Add', [periods, writer.float(1)])])
  const factors = writer.op('Add', [writer.op('Mul', [logarithms, writer.float(rate)]), writer.float(1)])
  return writer.op('Unsqueeze', [factors, writer.integers([-1])])
}

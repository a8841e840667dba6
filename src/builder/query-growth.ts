import type { QueryGrowth } from '../families/description.js'
import type { GraphWriter } from '../graph/graph-writer.js'
import { DataType } from '../graph/onnx.js'

/**
 * float32 [tokens, 1]: the factor on the query of each token.
 * @param tokens int64 scalar: tokens of the batch, padding included
 */
export function writeQueryGrowth(
  writer: GraphWriter,
  { rate, period, offset }: QueryGrowth,
  tokens: string,
): string {
  const scalar = (value: number) => writer.integers([value], [])
  const positions = writer.op('Range', [
    scalar(offset),
    writer.op('Add', [tokens, scalar(offset)]),
    scalar(1),
  ])
  const periods = writer.op('Cast', [writer.op('Div', [positions, scalar(period)])], { to: DataType.FLOAT })
  const logarithms = writer.op('Log', [writer.op('Add', [periods, writer.float(1)])])
  const factors = writer.op('Add', [writer.op('Mul', [logarithms, writer.float(rate)]), writer.float(1)])
  return writer.op('Unsqueeze', [factors, writer.integers([1])])
}

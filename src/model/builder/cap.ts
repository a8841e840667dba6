import type { GraphWriter } from '../graph/onnx/graph-writer.js'

/** limit * tanh(values / limit) */
export function writeCap(writer: GraphWriter, values: string, limit: number): string {
  const bound = writer.float(limit)
  return writer.op('Mul', [writer.op('Tanh', [writer.op('Div', [values, bound])]), bound])
}

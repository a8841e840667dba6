import type { Sinusoids } from '../families/describe/description.js'
import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import { DataType } from '../graph/onnx/onnx.js'

/**
 * Writes the embedding of each position: float32 [..., hidden].
 * @param positions int64 [...]
 */
export function writeSinusoids(writer: GraphWriter, { frequencies, empty }: Sinusoids, positions: string): string {
  const column = writer.op('Unsqueeze', [positions, writer.integers([-1])])
  const angles = writer.op('Mul', [
    writer.op('Cast', [column], { to: DataType.FLOAT }),
    writer.floats(frequencies, [1, frequencies.length]),
  ])
  const table = writer.op('Concat', [writer.op('Sin', [angles]), writer.op('Cos', [angles])], { axis: -1 })
  if (empty === null) return table
  const isEmpty = writer.op('Equal', [column, writer.integers([empty])])
  return writer.op('Where', [isEmpty, writer.float(0), table])
}

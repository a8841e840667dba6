import { LayerpruneError } from '../../../base/errors.js'
import { type GraphProto, MICROSOFT_DOMAIN } from '../onnx/onnx.js'

/** Input indices of the tables of cosines and sines in ONNX Runtime's fused operators. */
const TABLES: Record<string, [number, number]> = { GroupQueryAttention: [7, 8], RotaryEmbedding: [2, 3] }

/**
 * Checks the rotary embedding tables stored in a graph: ONNX Runtime 1.30 does not, and a table of another shape crashes
 * the whole process.
 * @throws LayerpruneError if one is not a matrix
 */
export function assertRotaryTables(graph: GraphProto, file: string): void {
  const stored = new Map(graph.initializer.map((tensor) => [tensor.name, tensor.dims]))
  for (const { domain, opType, name, input } of graph.node) {
    if (domain !== MICROSOFT_DOMAIN || !Object.hasOwn(TABLES, opType)) continue
    for (const place of TABLES[opType]!) {
      const dims = stored.get(input[place] ?? '')
      if (dims === undefined || dims.length === 2) continue
      throw new LayerpruneError(
        `${file} is damaged: ${opType} ${name} reads ${input[place]} as a rotary embedding table, expected [positions, half of a head], found [${dims.join(', ')}]`,
        { hint: 'download or export the model again' },
      )
    }
  }
}

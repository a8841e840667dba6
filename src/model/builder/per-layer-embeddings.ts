import type { PerLayerEmbeddings } from '../families/describe/description.js'
import type { DecoderWriter } from './decoder-writer.js'
import { readProduct, writeProduct } from './linear.js'
import { writeNorm } from './norm.js'

/**
 * Prepares the per-layer embeddings.
 * @param embedded state 0
 * @returns a function that writes a layer's part, float32 [batch, tokens, size]; null if there are none
 */
export function preparePerLayerEmbeddings(
  writer: DecoderWriter,
  embeddings: PerLayerEmbeddings | null,
  embedded: string,
): (layer: number) => string | null {
  if (embeddings === null) return () => null
  const { weight, vocabulary, size, scale, projection, projectionScale, norm } = embeddings
  const rows = writer.inScope('embedding', () =>
    writer.weights.lookUp(weight, [vocabulary, projection.outputs], 'input_ids'),
  )
  return (layer) =>
    writer.inScope('embedding', () => {
      const range: [number, number] = [layer * size, (layer + 1) * size]
      const bounds = [...range, -1].map((value) => writer.integers([value]))
      const known = writer.op('Mul', [writer.op('Slice', [rows, ...bounds]), writer.float(scale)])
      const product = writeProduct(writer, readProduct(writer, projection, range), embedded)
      const scaled = writer.op('Mul', [product, writer.float(projectionScale)])
      const sum = writer.op('Add', [writeNorm(writer, norm, scaled), known])
      return writer.op('Mul', [sum, writer.float(Math.SQRT1_2)])
    })
}

import { readFloats } from '../../engine/sessions/read-floats.js'
import type { Replacement } from '../../files/weights/replacement.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import type { ClosingProduct } from './closing-product.js'

export interface WeightChange {
  product: ClosingProduct
  /** [inputs, hidden]; added to the weight, and in one more row to the bias if the product names one. */
  values: Float32Array
  /** Ridge strength chosen on held-out texts, see `solveRidge`. */
  ridge: number
}

/**
 * The complete changed weights of products, in float32 and in the shapes in which they are stored.
 * @returns by their names in the graph; for a graph built from safetensors, these are the names of its tensors
 */
export async function makeReplacements(
  decoder: DecoderGraph,
  changes: Pick<WeightChange, 'product' | 'values'>[],
): Promise<Map<string, Replacement>> {
  const replacements = new Map<string, Replacement>()
  for (const { product, values } of changes) {
    const { weight, bias, inputs, outputs, outputsFirst } = product
    const matrix = await readFloats(decoder, weight)
    for (let input = 0; input < inputs; input++) {
      for (let output = 0; output < outputs; output++) {
        const place = outputsFirst ? output * inputs + input : input * outputs + output
        matrix[place]! += values[input * outputs + output]!
      }
    }
    replacements.set(weight.name, { shape: weight.dims.map(Number), data: matrix })
    if (bias === null) continue
    const vector = await readFloats(decoder, bias)
    for (let output = 0; output < outputs; output++) vector[output]! += values[inputs * outputs + output]!
    replacements.set(bias.name, { shape: [outputs], data: vector })
  }
  return replacements
}

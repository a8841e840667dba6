import type { Mlp } from '../families/description.js'
import { writeExperts } from './experts.js'
import type { GraphWriter } from './graph-writer.js'
import { readProduct, writeActivation, writeLinear, writeProduct } from './linear.js'
import type { Weights } from './weights.js'

/** Writes the MLP of a layer, which treats each token separately: [..., hidden] to the same shape. */
export function writeMlp(writer: GraphWriter, weights: Weights, mlp: Mlp, input: string): string {
  switch (mlp.kind) {
    case 'plain': {
      const up = writeLinear(writer, weights, mlp.up, input)
      return writeLinear(writer, weights, mlp.down, writeActivation(writer, mlp.activation, up))
    }
    case 'gated': {
      const gate = writeActivation(writer, mlp.activation, writeLinear(writer, weights, mlp.gate, input))
      const up = writeLinear(writer, weights, mlp.up, input)
      return writeLinear(writer, weights, mlp.down, writer.op('Mul', [gate, up]))
    }
    case 'gated in one': {
      const { gateUp, activation, down } = mlp
      const half = gateUp.outputs / 2
      const gate = writeProduct(writer, readProduct(weights, gateUp, [0, half]), input)
      const up = writeProduct(writer, readProduct(weights, gateUp, [half, gateUp.outputs]), input)
      const product = writer.op('Mul', [writeActivation(writer, activation, gate), up])
      return writeLinear(writer, weights, down, product)
    }
    case 'experts':
      return writeExperts(writer, weights, mlp.experts, input)
  }
}

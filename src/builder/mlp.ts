import type { Mlp } from '../families/description.js'
import type { DecoderWriter } from './decoder-writer.js'
import { writeExperts } from './experts.js'
import { readProduct, writeActivation, writeLinear, writeProduct } from './linear.js'
import { writeNorm } from './norm.js'

/** Writes the MLP of a layer, which treats each token separately: [..., hidden] to the same shape. */
export function writeMlp(writer: DecoderWriter, mlp: Mlp, input: string): string {
  switch (mlp.kind) {
    case 'plain': {
      const up = writeLinear(writer, mlp.up, input)
      return writeLinear(writer, mlp.down, writeActivation(writer, mlp.activation, up))
    }
    case 'gated': {
      const gate = writeActivation(writer, mlp.activation, writeLinear(writer, mlp.gate, input))
      const up = writeLinear(writer, mlp.up, input)
      const product = writer.op('Mul', [gate, up])
      const normed = mlp.innerNorm ? writeNorm(writer, mlp.innerNorm, product) : product
      return writeLinear(writer, mlp.down, normed)
    }
    case 'gated in one': {
      const { gateUp, activation, down } = mlp
      const half = gateUp.outputs / 2
      const gate = writeProduct(writer, readProduct(writer, gateUp, [0, half]), input)
      const up = writeProduct(writer, readProduct(writer, gateUp, [half, gateUp.outputs]), input)
      const product = writer.op('Mul', [writeActivation(writer, activation, gate), up])
      return writeLinear(writer, down, product)
    }
    case 'experts':
      return writeExperts(writer, mlp.experts, input)
  }
}

import type { Linear, Mlp } from '../families/description.js'
import type { DecoderWriter } from './decoder-writer.js'
import { writeExperts } from './experts.js'
import { isTransposed, readProduct, writeActivation, writeLinear, writeProduct } from './linear.js'
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
      const [gate, up] = writeHalves(writer, gateUp, input)
      const product = writer.op('Mul', [writeActivation(writer, activation, gate), up])
      return writeLinear(writer, down, product)
    }
    case 'experts':
      return writeExperts(writer, mlp.experts, input)
  }
}

/** The two halves of a product's outputs: by two products, unless the matrix stores its outputs side by side. */
function writeHalves(writer: DecoderWriter, linear: Linear, input: string): [first: string, second: string] {
  const half = linear.outputs / 2
  if (isTransposed(writer, linear)) {
    const halves = [writeLinear(writer, linear, input), writer.integers([half, half])]
    const [first, second] = writer.ops('Split', halves, 2, { axis: -1 })
    return [first!, second!]
  }
  const part = (rows: [number, number]) => writeProduct(writer, readProduct(writer, linear, rows), input)
  return [part([0, half]), part([half, linear.outputs])]
}

import type { GateBounds, Linear, Mlp } from '../families/describe/description.js'
import type { DecoderWriter } from './decoder-writer.js'
import { writeExperts } from './experts.js'
import { isTransposed, readProduct, writeActivation, writeLinear, writeProduct, writeScaled } from './linear.js'
import { writeNorm } from './norm.js'

/** Writes the MLP of a layer, which treats each token separately: [..., hidden] to the same shape. */
export function writeMlp(writer: DecoderWriter, mlp: Mlp, input: string): string {
  switch (mlp.kind) {
    case 'plain': {
      const up = writeLinear(writer, mlp.up, input)
      return writeLinear(writer, mlp.down, writeActivation(writer, mlp.activation, up))
    }
    case 'gated': {
      const { gate: gateScale, down: downScale } = mlp.scales ?? { gate: 1, down: 1 }
      const scaled = writeScaled(writer, writeLinear(writer, mlp.gate, input), gateScale)
      const outputs = { gate: scaled, up: writeLinear(writer, mlp.up, input) }
      const { gate, up } = mlp.bounds ? writeBounds(writer, mlp.bounds, outputs) : outputs
      const product = writer.op('Mul', [writeActivation(writer, mlp.activation, gate), up])
      const normed = mlp.innerNorm ? writeNorm(writer, mlp.innerNorm, product) : product
      return writeScaled(writer, writeLinear(writer, mlp.down, normed), downScale)
    }
    case 'gated in one': {
      const { gateUp, activation, bounds, down } = mlp
      const [gate, up] = mlp.interleaved ? writeTurns(writer, gateUp, input) : writeHalves(writer, gateUp, input)
      const bounded = bounds ? writeBounds(writer, bounds, { gate, up }) : { gate, up }
      const product = writer.op('Mul', [writeActivation(writer, activation, bounded.gate), bounded.up])
      return writeLinear(writer, down, product)
    }
    case 'experts':
      return writeExperts(writer, mlp.experts, input)
    case 'sum':
      return mlp.parts
        .map(({ before, mlp, after }) => {
          const output = writeMlp(writer, mlp, before ? writeNorm(writer, before, input) : input)
          return after ? writeNorm(writer, after, output) : output
        })
        .reduce((sum, output) => writer.op('Add', [sum, output]))
  }
}

/**
 * The two halves of a product's outputs: from two products, unless the matrix is stored as [inputs, outputs] or has an
 * adapter.
 */
function writeHalves(writer: DecoderWriter, linear: Linear, input: string): [first: string, second: string] {
  const half = linear.outputs / 2
  if (isTransposed(writer, linear) || linear.adapter || (linear.fused && linear.bias !== null)) {
    const halves = [writeLinear(writer, linear, input), writer.integers([half, half])]
    const [first, second] = writer.ops('Split', halves, 2, { axis: -1 })
    return [first!, second!]
  }
  const part = (rows: [number, number]) => writeProduct(writer, readProduct(writer, linear, rows), input)
  return [part([0, half]), part([half, linear.outputs])]
}

/** A product's even outputs, and its odd ones. */
function writeTurns(writer: DecoderWriter, linear: Linear, input: string): [even: string, odd: string] {
  const outputs = writeLinear(writer, linear, input)
  const every = (start: number) =>
    writer.op('Slice', [outputs, ...[start, linear.outputs, -1, 2].map((value) => writer.integers([value]))])
  return [every(0), every(1)]
}

function writeBounds(
  writer: DecoderWriter,
  { limit }: GateBounds,
  { gate, up }: { gate: string; up: string },
): { gate: string; up: string } {
  const [least, most] = [writer.float(-limit), writer.float(limit)]
  return {
    gate: writer.op('Min', [gate, most]),
    up: writer.op('Add', [writer.op('Clip', [up, least, most]), writer.float(1)]),
  }
}

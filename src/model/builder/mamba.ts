import type { Mamba } from '../families/describe/description.js'
import { writeCausalConvolution } from './causal-convolution.js'
import type { DecoderWriter } from './decoder-writer.js'
import { writeActivation, writeDecayRate, writeLinear } from './linear.js'
import { writeLinearRecurrence } from './linear-recurrence.js'
import { writeNorm } from './norm.js'
import type { SharedInputs } from './shared-inputs.js'

/** Writes Mamba's mixer: [batch, tokens, hidden] to the same shape. Each channel is a head of size 1. */
export function writeMamba(writer: DecoderWriter, mamba: Mamba, input: string, { shape }: SharedInputs): string {
  const { channels, stateSize, convolution } = mamba
  const split = (tensor: string, sizes: number[]) =>
    writer.ops('Split', [tensor, writer.integers(sizes)], sizes.length, { axis: -1 })
  const [mixed, gate] = split(writeLinear(writer, mamba.inputs, input), [channels, channels])
  const isSilu = mamba.activation === 'silu'
  const convolved = writeCausalConvolution(writer, convolution, mixed!, isSilu ? 'silu' : 'none', shape.continued)
  const x = isSilu ? convolved : writeActivation(writer, mamba.activation, convolved)

  const { timeStep, b, c } = writeParameters(writer, mamba, x)
  const rate = writeDecayRate(writer, mamba.rate, [channels, stateSize])
  const decay = writer.op('Mul', [writer.op('Unsqueeze', [timeStep, writer.integers([-1])]), rate])
  const read = writeLinearRecurrence(
    writer,
    {
      ...{ query: c, key: b, value: writer.op('Mul', [timeStep, x]) },
      decay: writer.op('Reshape', [decay, writer.integers([0, 0, channels * stateSize])]),
    },
    { queryHeads: 1, heads: channels, state: [stateSize, 1], rule: 'gated', scale: 1, kind: 'ssm' },
    shape.continued,
  )
  const skipped = writer.op('Mul', [x, writer.weights.float(mamba.skip, [channels])])
  const summed = writer.op('Add', [read, skipped])
  const gated = writer.op('Mul', [summed, writeActivation(writer, 'silu', gate!)])
  return writeLinear(writer, mamba.output, gated)
}

/** Time steps [batch, tokens, channels], B and C [batch, tokens, state size]. */
function writeParameters(
  writer: DecoderWriter,
  { parameters, norms, timeStep, stateSize }: Mamba,
  x: string,
): { timeStep: string; b: string; c: string } {
  const sizes = [timeStep.inputs, stateSize, stateSize]
  const product = writeLinear(writer, parameters, x)
  let [low, b, c] = writer.ops('Split', [product, writer.integers(sizes)], 3, { axis: -1 })
  if (norms !== null) {
    low = writeNorm(writer, norms.timeStep, low!)
    b = writeNorm(writer, norms.b, b!)
    c = writeNorm(writer, norms.c, c!)
  }
  return { timeStep: writer.op('Softplus', [writeLinear(writer, timeStep, low!)]), b: b!, c: c! }
}

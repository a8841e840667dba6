import type { BlockProduct, GatedRecurrence } from '../families/describe/description.js'
import { writeCausalConvolution } from './causal-convolution.js'
import type { DecoderWriter } from './decoder-writer.js'
import { writeActivation, writeLinear } from './linear.js'
import { writeLinearRecurrence } from './linear-recurrence.js'
import { type TokenShape, writePositions } from './rope.js'
import type { SharedInputs } from './shared-inputs.js'

/** Writes Griffin's recurrent block: [batch, tokens, hidden] to the same shape. */
export function writeGatedRecurrence(
  writer: DecoderWriter,
  recurrence: GatedRecurrence,
  input: string,
  { shape }: SharedInputs,
): string {
  const { convolution, channels, activation } = recurrence
  const x = writeCausalConvolution(
    writer,
    convolution,
    writeLinear(writer, recurrence.input, input),
    'none',
    shape.continued,
  )
  const decay = writeDecay(writer, recurrence, x)
  const gated = writer.op('Mul', [x, writeBlockGate(writer, recurrence, recurrence.inputGate, x)])
  const added = writer.op('Mul', [gated, writeInputFactor(writer, decay, shape)])

  // each channel is a head whose key and query are 1
  const ones = writer.op('Expand', [
    writer.floats([1], [1, 1, 1]),
    writer.op('Concat', [writer.op('Shape', [shape.inputIds]), writer.integers([1])], { axis: 0 }),
  ])
  const states = writeLinearRecurrence(
    writer,
    { query: ones, key: ones, value: added, decay },
    { queryHeads: 1, heads: channels, state: [1, 1], rule: 'gated', scale: 1, kind: 'recurrent' },
    shape.continued,
  )
  const gate = writeActivation(writer, activation, writeLinear(writer, recurrence.gate, input))
  return writeLinear(writer, recurrence.output, writer.op('Mul', [states, gate]))
}

/** Logarithm of the factor on each channel's state: [batch, tokens, channels]. */
function writeDecay(writer: DecoderWriter, recurrence: GatedRecurrence, x: string): string {
  const { rate, channels, sharpness, decayGate } = recurrence
  const steepness = writer.op('Softplus', [writer.weights.float(rate, [channels])])
  const gate = writeBlockGate(writer, recurrence, decayGate, x)
  return writer.op('Mul', [writer.op('Mul', [gate, writer.float(-sharpness)]), steepness])
}

/** sqrt(1 - decay^2), but 1 for the first token: [batch, tokens, channels]. */
function writeInputFactor(writer: DecoderWriter, decay: string, shape: TokenShape): string {
  const squared = writer.op('Exp', [writer.op('Mul', [decay, writer.float(2)])])
  const factor = writer.op('Sqrt', [writer.op('Sub', [writer.float(1), squared])])
  const positions = writePositions(writer, shape, 0)
  const isFirst = writer.op('Equal', [
    writer.op('Unsqueeze', [positions, writer.integers([-1])]),
    writer.integers([0], []),
  ])
  return writer.op('Where', [isFirst, writer.float(1), factor])
}

/** Sigmoid of a product within each block of channels: [batch, tokens, channels] to the same shape. */
function writeBlockGate(
  writer: DecoderWriter,
  { blocks, channels }: GatedRecurrence,
  { weight, bias }: BlockProduct,
  x: string,
): string {
  const size = channels / blocks
  const byBlock = writer.op('Transpose', [writer.op('Reshape', [x, writer.integers([0, 0, blocks, size])])], {
    perm: [0, 2, 1, 3],
  })
  const product = writer.op('MatMul', [byBlock, writer.weights.float(weight, [blocks, size, size])])
  const biases = writer.op('Unsqueeze', [writer.weights.float(bias, [blocks, size]), writer.integers([1])])
  const byToken = writer.op('Transpose', [writer.op('Add', [product, biases])], { perm: [0, 2, 1, 3] })
  return writer.op('Sigmoid', [writer.op('Reshape', [byToken, writer.integers([0, 0, channels])])])
}

import type { GatedDeltaNet, Linear } from '../families/describe/description.js'
import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import { writeCausalConvolution } from './causal-convolution.js'
import type { DecoderWriter } from './decoder-writer.js'
import { writeActivation, writeDecayRate, writeLinear } from './linear.js'
import { writeLinearRecurrence } from './linear-recurrence.js'
import { writeNorm, writeRmsNorm } from './norm.js'
import type { SharedInputs } from './shared-inputs.js'

/** Added to the squared length of queries and keys before they are scaled to length 1. */
const LENGTH_EPSILON = 1e-6

/** Projections of the layer's input, each [batch, tokens, ...]. */
interface DeltaInputs {
  /** Queries, keys and values of all heads, before the convolution. */
  queriesKeysValues: string
  gate: string
  beta: string
  decay: string
}

/** Writes linear attention by the gated delta rule: [batch, tokens, hidden] to the same shape. */
export function writeDelta(
  writer: DecoderWriter,
  delta: GatedDeltaNet,
  input: string,
  { shape }: SharedInputs,
): string {
  const { keyHeads, valueHeads, keyDim, valueDim, norm, betaScale } = delta
  const inputs = writeInputs(writer, delta, input)
  const isSilu = delta.activation === 'silu'
  const convolved = writeCausalConvolution(
    writer,
    delta.convolution,
    inputs.queriesKeysValues,
    isSilu ? 'silu' : 'none',
    shape.continued,
  )
  const active = isSilu ? convolved : writeActivation(writer, delta.activation, convolved)
  const keys = keyHeads * keyDim
  const [query, key, value] = split(writer, active, [keys, keys, valueHeads * valueDim])
  const sigmoid = writer.op('Sigmoid', [inputs.beta])
  const beta = betaScale === 1 ? sigmoid : writer.op('Mul', [sigmoid, writer.float(betaScale)])
  const attended = writeLinearRecurrence(
    writer,
    {
      query: scaleToLength1(writer, delta, query!),
      key: scaleToLength1(writer, delta, key!),
      value: value!,
      decay: writeDecay(writer, delta, inputs.decay),
      beta,
    },
    {
      ...{ queryHeads: keyHeads, heads: valueHeads, state: [keyDim, valueDim] },
      ...{ rule: 'gated_delta', scale: keyDim ** -0.5, kind: 'recurrent' },
    },
    shape.continued,
  )
  const perHead = writer.op('Reshape', [attended, writer.integers([0, 0, valueHeads, valueDim])])
  const normed = writer.op('Reshape', [
    writeNorm(writer, norm, perHead),
    writer.integers([0, 0, valueHeads * valueDim]),
  ])
  const gated = writer.op('Mul', [normed, writeActivation(writer, delta.gateActivation, inputs.gate)])
  return writeLinear(writer, delta.output, gated)
}

function writeInputs(writer: DecoderWriter, delta: GatedDeltaNet, input: string): DeltaInputs {
  const { projections } = delta
  if (projections.layout === 'qkv per group') return writeGroupedInputs(writer, delta, projections, input)
  const parts = projections.queriesKeysValues.map((linear) => writeLinear(writer, linear, input))
  return {
    queriesKeysValues: parts.length === 1 ? parts[0]! : writer.op('Concat', parts, { axis: -1 }),
    gate: writeChain(writer, projections.gate, input),
    beta: writeLinear(writer, projections.beta, input),
    decay: writeChain(writer, projections.decay, input),
  }
}

function writeChain(writer: DecoderWriter, products: Linear[], input: string): string {
  return products.reduce((output, linear) => writeLinear(writer, linear, output), input)
}

/** The outputs of both products are sorted by key head first. */
function writeGroupedInputs(
  writer: DecoderWriter,
  { keyHeads, valueHeads, keyDim, valueDim }: GatedDeltaNet,
  { mixed, rates }: Extract<GatedDeltaNet['projections'], { layout: 'qkv per group' }>,
  input: string,
): DeltaInputs {
  const perGroup = valueHeads / keyHeads
  const sort = (tensor: string, sizes: number[]) => {
    const groups = writer.op('Reshape', [tensor, writer.integers([0, 0, keyHeads, -1])])
    return split(writer, groups, sizes).map((part, index) =>
      writer.op('Reshape', [part, writer.integers([0, 0, keyHeads * sizes[index]!])]),
    )
  }
  const values = perGroup * valueDim
  const [query, key, value, gate] = sort(writeLinear(writer, mixed, input), [keyDim, keyDim, values, values])
  const [beta, decay] = sort(writeLinear(writer, rates, input), [perGroup, perGroup])
  const queriesKeysValues = writer.op('Concat', [query!, key!, value!], { axis: -1 })
  return { queriesKeysValues, gate: gate!, beta: beta!, decay: decay! }
}

function split(writer: GraphWriter, tensor: string, sizes: number[]): string[] {
  return writer.ops('Split', [tensor, writer.integers(sizes)], sizes.length, { axis: -1 })
}

/** Queries or keys of length 1: an RMS norm gives heads of size n the length sqrt(n). */
function scaleToLength1(writer: DecoderWriter, { keyHeads, keyDim }: GatedDeltaNet, input: string): string {
  const perHead = writer.op('Reshape', [input, writer.integers([0, 0, keyHeads, keyDim])])
  const scale = writer.floats(Array.from({ length: keyDim }, () => keyDim ** -0.5))
  const scaled = writeRmsNorm(writer, perHead, scale, LENGTH_EPSILON / keyDim)
  return writer.op('Reshape', [scaled, writer.integers([0, 0, keyHeads * keyDim])])
}

/** Logarithm of the factor on each head's state, or on each row of it. */
function writeDecay(writer: DecoderWriter, { decay, valueHeads, keyDim }: GatedDeltaNet, product: string): string {
  const perHead = decay.perElement ? keyDim : 1
  const bias = writer.weights.float(decay.bias, [valueHeads * perHead])
  const byHead = writer.op('Reshape', [writer.op('Add', [product, bias]), writer.integers([0, 0, valueHeads, perHead])])
  const rate = writeDecayRate(writer, decay.rate, decay.rateShape)
  const byRow = writer.op('Reshape', [rate, writer.integers([valueHeads, 1])])
  const decays =
    decay.bound === null
      ? writer.op('Mul', [writer.op('Softplus', [byHead]), byRow])
      : writeBounded(writer, decay.bound, writer.op('Mul', [byHead, writer.op('Neg', [byRow])]))
  return writer.op('Reshape', [decays, writer.integers([0, 0, valueHeads * perHead])])
}

/** bound * sigmoid(input) */
function writeBounded(writer: DecoderWriter, bound: number, input: string): string {
  return writer.op('Mul', [writer.op('Sigmoid', [input]), writer.float(bound)])
}

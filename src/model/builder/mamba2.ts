import type { Mamba2 } from '../families/describe/description.js'
import { writeCausalConvolution } from './causal-convolution.js'
import type { DecoderWriter } from './decoder-writer.js'
import { writeActivation, writeDecayRate, writeLinear } from './linear.js'
import { writeLinearRecurrence } from './linear-recurrence.js'
import { writeRmsNorm } from './norm.js'
import type { SharedInputs } from './shared-inputs.js'

/** Writes Mamba-2's mixer: [batch, tokens, hidden] to the same shape. */
export function writeMamba2(writer: DecoderWriter, mamba: Mamba2, input: string, { shape }: SharedInputs): string {
  const { heads, headDim, groups, stateSize, convolution } = mamba
  const width = heads * headDim
  const split = (tensor: string, sizes: number[]) =>
    writer.ops('Split', [tensor, writer.integers(sizes)], sizes.length, { axis: -1 })
  const [gate, mixed, steps] = split(writeInputs(writer, mamba, input), [width, convolution.channels, heads])
  const isSilu = mamba.activation === 'silu'
  const convolved = writeCausalConvolution(writer, convolution, mixed!, isSilu ? 'silu' : 'none', shape.continued)
  const active = isSilu ? convolved : writeActivation(writer, mamba.activation, convolved)
  const [x, b, c] = split(active, [width, groups * stateSize, groups * stateSize])

  const timeStep = writeTimeStep(writer, mamba, steps!)
  const perHead = writer.op('Reshape', [x!, writer.integers([0, 0, heads, headDim])])
  const stepped = writer.op('Mul', [perHead, writer.op('Unsqueeze', [timeStep, writer.integers([-1])])])
  const value = writer.op('Reshape', [stepped, writer.integers([0, 0, width])])
  const rate = writeDecayRate(writer, mamba.rate, [heads])
  const read = writeLinearRecurrence(
    writer,
    { query: c!, key: b!, value, decay: writer.op('Mul', [timeStep, rate]) },
    { queryHeads: groups, heads, state: [stateSize, headDim], rule: 'gated', scale: 1, kind: 'ssm' },
    shape.continued,
  )
  const skip = writer.op('Unsqueeze', [writer.weights.float(mamba.skip, [heads]), writer.integers([-1])])
  const skipped = writer.op('Reshape', [writer.op('Mul', [perHead, skip]), writer.integers([0, 0, width])])
  const gated = writeGatedNorm(writer, mamba, writer.op('Add', [read, skipped]), gate!)
  return writeLinear(writer, mamba.output, gated)
}

/** Gate, x, B, C and time steps, concatenated. */
function writeInputs(
  writer: DecoderWriter,
  { inputs, inputScales, heads, headDim, groups, stateSize }: Mamba2,
  input: string,
): string {
  const product = writeLinear(writer, inputs, input)
  if (inputScales.every((scale) => scale === 1)) return product
  const sizes = [heads * headDim, heads * headDim, groups * stateSize, groups * stateSize, heads]
  const factors = sizes.flatMap((size, part) => Array.from({ length: size }, () => inputScales[part]!))
  return writer.op('Mul', [product, writer.floats(factors)])
}

/** [batch, tokens, heads]. */
function writeTimeStep(writer: DecoderWriter, { timeStep, heads }: Mamba2, product: string): string {
  const { bias, least, most } = timeStep
  const biased = writer.op('Add', [product, writer.weights.float(bias, [heads])])
  const step = writer.op('Softplus', [biased])
  if (least <= 0 && most === Infinity) return step
  return writer.op('Clip', [step, writer.float(least), most === Infinity ? '' : writer.float(most)])
}

function writeGatedNorm(writer: DecoderWriter, { norm, heads, headDim }: Mamba2, input: string, gate: string): string {
  const width = heads * headDim
  const open = writeActivation(writer, 'silu', gate)
  if (norm === null) return writer.op('Mul', [input, open])
  const normed = (tensor: string) => {
    const weight = writer.weights.float(norm.weight, [width])
    if (norm.groups === 1) return writeRmsNorm(writer, tensor, weight, norm.epsilon)
    const size = width / norm.groups
    const perGroup = writer.op('Reshape', [tensor, writer.integers([0, 0, norm.groups, size])])
    const ones = writer.floats(Array.from({ length: size }, () => 1))
    const scaled = writeRmsNorm(writer, perGroup, ones, norm.epsilon)
    return writer.op('Mul', [writer.op('Reshape', [scaled, writer.integers([0, 0, width])]), weight])
  }
  return norm.beforeGate ? writer.op('Mul', [normed(input), open]) : normed(writer.op('Mul', [input, open]))
}

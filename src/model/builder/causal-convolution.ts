import type { Convolution, ShortConvolution } from '../families/describe/description.js'
import { type ContinuedTexts, clearPadding } from './caches.js'
import type { DecoderWriter } from './decoder-writer.js'
import { writeLinear } from './linear.js'
import type { SharedInputs } from './shared-inputs.js'

/**
 * Writes a causal depthwise convolution: [batch, tokens, channels] to the same shape.
 *
 * Without caches, texts are padded on the right, so no token of a text sees padding.
 * @param activation applied to the result by the same node
 */
export function writeCausalConvolution(
  writer: DecoderWriter,
  convolution: Convolution,
  input: string,
  activation: 'silu' | 'none',
  continued: ContinuedTexts | null,
): string {
  const { bias, channels, size } = convolution
  const real = clearPadding(writer, continued, input)
  const inputs = [
    writer.op('Transpose', [real], { perm: [0, 2, 1] }),
    readKernels(writer, convolution),
    bias === null ? '' : writer.weights.float(bias, [channels]),
  ]
  const write = (past: string) => {
    const given = past === '' && bias === null ? inputs.slice(0, 2) : past === '' ? inputs : [...inputs, past]
    return writer.ops('CausalConvWithState', given, 2, { activation }) as [string, string]
  }
  const convolved = continued === null ? write('')[0] : continued.caches.replace('conv', [channels, size - 1], write)
  return writer.op('Transpose', [convolved], { perm: [0, 2, 1] })
}

/** float32 [channels, 1, size]; checkpoints can split the channels among several tensors. */
function readKernels(writer: DecoderWriter, { weights, channels, size }: Convolution): string {
  let left = channels
  const kernels = weights.map((name, index) => {
    const own = index === weights.length - 1 ? left : writer.weights.rows(name)
    left -= own
    return writer.weights.float(name, [own, 1, size])
  })
  return kernels.length === 1 ? kernels[0]! : writer.op('Concat', kernels, { axis: 0 })
}

/** Writes a gated short convolution: [batch, tokens, hidden] to the same shape. */
export function writeShortConvolution(
  writer: DecoderWriter,
  mixer: ShortConvolution,
  input: string,
  { shape }: SharedInputs,
): string {
  const width = mixer.inputs.outputs / 3
  const [before, after, value] = writer.ops(
    'Split',
    [writeLinear(writer, mixer.inputs, input), writer.integers([width, width, width])],
    3,
    { axis: -1 },
  )
  const gated = writer.op('Mul', [before!, value!])
  const convolved = writeCausalConvolution(writer, mixer.convolution, gated, 'none', shape.continued)
  return writeLinear(writer, mixer.output, writer.op('Mul', [after!, convolved]))
}

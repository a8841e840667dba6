import type { Convolution } from '../families/description.js'
import type { DecoderWriter } from './decoder-writer.js'

/**
 * Writes a convolution of each channel over a token and those before it: [batch, tokens, channels] to the same shape.
 *
 * Texts are padded on the right, so no token of a text sees padding.
 * @param activation applied to the result by the same node
 */
export function writeCausalConvolution(
  writer: DecoderWriter,
  { weights, bias, size }: Convolution,
  input: string,
  activation: 'silu' | 'none',
): string {
  const kernels = weights.map(({ name, channels }) => writer.weights.float(name, [channels, 1, size]))
  const kernel = kernels.length === 1 ? kernels[0]! : writer.op('Concat', kernels, { axis: 0 })
  const channels = weights.reduce((sum, weight) => sum + weight.channels, 0)
  const inputs = [writer.op('Transpose', [input], { perm: [0, 2, 1] }), kernel]
  if (bias !== null) inputs.push(writer.weights.float(bias, [channels]))
  const [convolved] = writer.ops('CausalConvWithState', inputs, 2, { activation })
  return writer.op('Transpose', [convolved!], { perm: [0, 2, 1] })
}

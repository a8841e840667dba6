import type { ShortConvolution } from '../families/describe/description.js'
import { writeCausalConvolution } from './causal-convolution.js'
import type { DecoderWriter } from './decoder-writer.js'
import { writeLinear } from './linear.js'

/** Writes a gated short convolution: [batch, tokens, hidden] to the same shape. */
export function writeShortConvolution(writer: DecoderWriter, mixer: ShortConvolution, input: string): string {
  const width = mixer.inputs.outputs / 3
  const [before, after, value] = writer.ops(
    'Split',
    [writeLinear(writer, mixer.inputs, input), writer.integers([width, width, width])],
    3,
    { axis: -1 },
  )
  const gated = writer.op('Mul', [before!, value!])
  const convolved = writeCausalConvolution(writer, mixer.convolution, gated, 'none')
  return writeLinear(writer, mixer.output, writer.op('Mul', [after!, convolved]))
}

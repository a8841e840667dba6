import type { Norm } from '../families/describe/description.js'
import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import type { DecoderWriter } from './decoder-writer.js'

/** Norms the last axis of a tensor. */
export function writeNorm(writer: DecoderWriter, norm: Norm, input: string): string {
  if (norm.kind === 'rms') return writeRmsNorm(writer, input, writeScale(writer, norm), norm.epsilon)
  const attributes = { axis: -1, epsilon: { float: norm.epsilon } }
  return writer.op('LayerNormalization', [input, ...writeParameters(writer, norm)], attributes)
}

/**
 * Divides a tensor by the root mean square of its last axis.
 * @param scale factor for each element
 */
export function writeRmsNorm(writer: GraphWriter, input: string, scale: string, epsilon: number): string {
  return writer.op('SimplifiedLayerNormalization', [input, scale], {
    axis: -1,
    epsilon: { float: epsilon },
    stash_type: 1,
  })
}

/** Adds a branch to the residual stream and norms the sum: [normed, sum]. */
export function writeSumAndNorm(
  writer: DecoderWriter,
  norm: Norm,
  stream: string,
  branch: string,
): [normed: string, sum: string] {
  const [normed, , , sum] =
    norm.kind === 'rms'
      ? writer.ops('SkipSimplifiedLayerNormalization', [stream, branch, writeScale(writer, norm)], 4, {
          epsilon: { float: norm.epsilon },
        })
      : writer.ops('SkipLayerNormalization', [stream, branch, ...writeParameters(writer, norm)], 4, {
          epsilon: { float: norm.epsilon },
        })
  return [normed!, sum!]
}

function writeParameters(writer: DecoderWriter, norm: Norm): string[] {
  const scale = writeScale(writer, norm)
  return norm.bias === null ? [scale] : [scale, writer.weights.float(norm.bias, [norm.size])]
}

function writeScale(writer: DecoderWriter, { weight, size, weightOffset }: Norm): string {
  if (weight === null) return writer.floats(Array.from({ length: size }, () => 1))
  const scale = writer.weights.float(weight, [size])
  return weightOffset === 0 ? scale : writer.op('Add', [scale, writer.float(weightOffset)])
}

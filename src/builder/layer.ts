import type { Layer, Norm } from '../families/description.js'
import type { DecoderWriter } from './decoder-writer.js'
import { writeMixer } from './mixer.js'
import { writeMlp } from './mlp.js'
import { writeNorm } from './norm.js'
import type { ResidualStream } from './residual-stream.js'
import type { SharedInputs } from './shared-inputs.js'

/** Adds a layer to the stream and returns the state that entered it. */
export function writeLayer(
  writer: DecoderWriter,
  layer: Layer,
  stream: ResidualStream,
  shared: SharedInputs,
): string {
  const { norms, mixer, mlp, parallel } = layer
  const mixerInput = stream.norm(norms.beforeMixer)
  const state = stream.value()
  const mixed = writer.inScope(mixer.kind, () =>
    writeBranch(writer, layer, writeMixer(writer, mixer, mixerInput, shared), norms.afterMixer),
  )
  return writer.inScope('mlp', () => {
    if (parallel) {
      const mlpInput = norms.beforeMlp === null ? mixerInput : stream.norm(norms.beforeMlp)
      const mapped = writeBranch(writer, layer, writeMlp(writer, mlp, mlpInput), norms.afterMlp)
      stream.add(writer.op('Add', [mixed, mapped]))
      return state
    }
    stream.add(mixed)
    stream.replace(norms.streamAfterMixer)
    stream.add(
      writeBranch(writer, layer, writeMlp(writer, mlp, stream.norm(norms.beforeMlp)), norms.afterMlp),
    )
    stream.replace(norms.streamAfterMlp)
    return state
  })
}

/** What a layer's part adds to the stream, from the part's output. */
function writeBranch(
  writer: DecoderWriter,
  { residualMultiplier }: Layer,
  output: string,
  norm: Norm | null,
): string {
  const normed = norm === null ? output : writeNorm(writer, norm, output)
  return residualMultiplier === 1 ? normed : writer.op('Mul', [normed, writer.float(residualMultiplier)])
}

import type { Layer, Mlp, Norm, PerLayerEmbedding, Preface, Residual } from '../families/describe/description.js'
import { writeAttention } from './attention.js'
import type { DecoderWriter } from './decoder-writer.js'
import { writeActivation, writeLinear, writeScaled } from './linear.js'
import { writeMixer } from './mixer.js'
import { writeMlp } from './mlp.js'
import { writeNorm } from './norm.js'
import type { ResidualStream } from './residual-stream.js'
import type { SharedInputs } from './shared-inputs.js'

/**
 * Adds a layer to the stream and returns the state that entered it.
 * @param ownEmbedding [batch, tokens, size]: the layer's part of the per-layer embeddings, if there are any
 */
export function writeLayer(
  writer: DecoderWriter,
  layer: Layer,
  stream: ResidualStream,
  shared: SharedInputs,
  ownEmbedding: string | null,
): string {
  const { norms, mixer, mlp, parallel, residual } = layer
  const input = writeInput(writer, layer, stream, shared)
  const state = stream.value()
  const mixed =
    mixer === null
      ? null
      : writer.inScope(mixer.kind, () =>
          writeBranch(writer, residual.mixer, writeMixer(writer, mixer, input, shared), norms.afterMixer),
        )
  writer.inScope('mlp', () => {
    const map = (mlp: Mlp, input: string) =>
      writeBranch(writer, residual.mlp, writeMlp(writer, mlp, input), norms.afterMlp)
    const add = (branch: string, { stream: factor }: Residual, read: string) => {
      if (layer.postNormResidual) stream.set(read)
      if (factor !== 1) stream.scale(writer.float(factor))
      stream.add(branch)
    }
    if (mixed !== null && mlp !== null && parallel) {
      const mlpInput = norms.beforeMlp === null ? input : stream.norm(norms.beforeMlp)
      stream.add(writer.op('Add', [mixed, map(mlp, mlpInput)]))
      return
    }
    if (mixed !== null) add(mixed, residual.mixer, input)
    stream.replace(norms.streamAfterMixer)
    if (mlp !== null) {
      const mlpInput = mixed === null ? input : stream.norm(norms.beforeMlp)
      add(map(mlp, mlpInput), residual.mlp, mlpInput)
    }
    stream.replace(norms.streamAfterMlp)
  })
  if (layer.perLayerEmbedding !== null) {
    const { perLayerEmbedding } = layer
    writer.inScope('embedding', () =>
      stream.add(writeOwnEmbedding(writer, perLayerEmbedding, stream.value(), ownEmbedding!)),
    )
  }
  if (layer.scalar !== null) stream.scale(writer.weights.float(layer.scalar, [1]))
  return state
}

/** What a layer adds for its per-layer embedding. */
function writeOwnEmbedding(
  writer: DecoderWriter,
  { gate, activation, projection, norm }: PerLayerEmbedding,
  state: string,
  ownEmbedding: string,
): string {
  const activated = writeActivation(writer, activation, writeLinear(writer, gate, state))
  const gated = writer.op('Mul', [activated, ownEmbedding])
  return writeNorm(writer, norm, writeLinear(writer, projection, gated))
}

/** The normed stream, to which a preface is added before the norm. */
function writeInput(
  writer: DecoderWriter,
  { preface, mixer, norms }: Layer,
  stream: ResidualStream,
  shared: SharedInputs,
): string {
  const norm = mixer === null ? norms.beforeMlp : norms.beforeMixer
  if (preface === null) return stream.norm(norm)
  const state = stream.value()
  const added = writer.inScope('preface', () => writePreface(writer, preface, state, shared))
  const sum = writer.op('Add', [state, added])
  return norm === null ? sum : writeNorm(writer, norm, sum)
}

function writePreface(writer: DecoderWriter, preface: Preface, state: string, shared: SharedInputs): string {
  const both = writer.op('Concat', [state, shared.embedded], { axis: -1 })
  const attended = writeAttention(writer, preface.attention, writeNorm(writer, preface.norm, both), shared)
  const mapped = writeMlp(writer, preface.mlp, writeNorm(writer, preface.mlpNorm, attended))
  return writeLinear(writer, preface.output, mapped)
}

/** The output of a layer's mixer or MLP, normed and scaled as it is added to the stream. */
function writeBranch(writer: DecoderWriter, { added }: Residual, output: string, norm: Norm | null): string {
  const normed = norm === null ? output : writeNorm(writer, norm, output)
  return writeScaled(writer, normed, added)
}

import type { Mixer, ParallelMixers } from '../families/describe/description.js'
import { writeAttention } from './attention.js'
import { writeShortConvolution } from './causal-convolution.js'
import type { DecoderWriter } from './decoder-writer.js'
import { writeDelta } from './delta.js'
import { writeGatedRecurrence } from './gated-recurrence.js'
import { writeLatentAttention } from './latent-attention.js'
import { writeLightningAttention } from './lightning-attention.js'
import { writeScaled } from './linear.js'
import { writeMamba } from './mamba.js'
import { writeMamba2 } from './mamba2.js'
import type { SharedInputs } from './shared-inputs.js'

/** Writes a layer's mixer: [batch, tokens, hidden] to the same shape. */
export function writeMixer(writer: DecoderWriter, mixer: Mixer, input: string, shared: SharedInputs): string {
  switch (mixer.kind) {
    case 'attention':
      return writeAttention(writer, mixer, input, shared)
    case 'convolution':
      return writeShortConvolution(writer, mixer, input, shared)
    case 'delta':
      return writeDelta(writer, mixer, input, shared)
    case 'latent':
      return writeLatentAttention(writer, mixer, input, shared)
    case 'lightning':
      return writeLightningAttention(writer, mixer, input, shared)
    case 'mamba':
      return writeMamba(writer, mixer, input, shared)
    case 'mamba2':
      return writeMamba2(writer, mixer, input, shared)
    case 'recurrence':
      return writeGatedRecurrence(writer, mixer, input, shared)
    case 'parallel':
      return writeParallelMixers(writer, mixer, input, shared)
  }
}

function writeParallelMixers(
  writer: DecoderWriter,
  { branches }: ParallelMixers,
  input: string,
  shared: SharedInputs,
): string {
  const outputs = branches.map(({ mixer, inputScale, outputScale }) =>
    writer.inScope(mixer.kind, () => {
      const output = writeMixer(writer, mixer, writeScaled(writer, input, inputScale), shared)
      return writeScaled(writer, output, outputScale)
    }),
  )
  return outputs.reduce((sum, output) => writer.op('Add', [sum, output]))
}

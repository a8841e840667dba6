import type { Mixer } from '../families/description.js'
import { writeAttention } from './attention.js'
import type { DecoderWriter } from './decoder-writer.js'
import { writeDelta } from './delta.js'
import { writeLatentAttention } from './latent-attention.js'
import type { SharedInputs } from './shared-inputs.js'
import { writeShortConvolution } from './short-convolution.js'

/** Writes the part of a layer in which tokens see those before them: [batch, tokens, hidden] to the same shape. */
export function writeMixer(writer: DecoderWriter, mixer: Mixer, input: string, shared: SharedInputs): string {
  switch (mixer.kind) {
    case 'attention':
      return writeAttention(writer, mixer, input, shared)
    case 'convolution':
      return writeShortConvolution(writer, mixer, input)
    case 'delta':
      return writeDelta(writer, mixer, input)
    case 'latent':
      return writeLatentAttention(writer, mixer, input, shared)
  }
}

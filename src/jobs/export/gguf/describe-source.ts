import type { ModelConfig } from '../../../files/checkpoint/config.js'
import type { Source } from '../../../files/gguf/write/source.js'
import type { Attention, Decoder, Mixer } from '../../../model/families/describe/description.js'

/** What the metadata of a file are taken from: the config, and what the decoder's description makes of it. */
export function describeSource(config: ModelConfig, decoder: Decoder, shape: Source['shape']): Source {
  const mixers = decoder.layers.map(({ mixer }) => mixer)
  const attention = mixers.filter(isAttention)
  const [first] = attention
  const { heads = config.heads, headDim = config.headDim } = first ?? {}
  return {
    config: config.raw,
    layers: decoder.layers.length,
    hidden: decoder.hiddenSize,
    heads,
    kvHeads: mixers.map((mixer) => (isAttention(mixer) ? mixer.kvHeads : 0)),
    headDim,
    rotated: attention.find(({ rope }) => rope !== null)?.rope?.dimensions ?? 0,
    epsilon: decoder.finalNorm?.epsilon ?? 0,
    positions: config.maxPositions ?? statedPositions(config),
    vocabulary: decoder.vocabulary,
    windows: mixers.map((mixer) => (isAttention(mixer) ? mixer.window : null)),
    shape,
  }
}

/** A config whose rope stretches with the text states a length too. */
function statedPositions({ raw }: ModelConfig): number | null {
  return typeof raw.max_position_embeddings === 'number' ? raw.max_position_embeddings : null
}

function isAttention(mixer: Mixer | null): mixer is Attention {
  return mixer?.kind === 'attention'
}

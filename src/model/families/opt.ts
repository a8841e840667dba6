import { DECODERS } from '../../files/checkpoint/known-models.js'
import type { ConfigReader } from './describe/config-reader.js'
import type { Differences } from './describe/differences.js'
import type { Family } from './describe/family.js'
import { ALL_BIASES } from './describe/family-parts.js'

export const OPT_FAMILIES: Record<string, Family> = {
  opt: {
    title: 'OPT, Galactica',
    notes: 'learnt positions; norms after the residual sums in 350M',
    fixed: { learned_embeddings: true, scale_embeddings: false },
    describe: describeOpt,
  },
  xglm: {
    title: 'XGLM',
    notes: 'sines and cosines added to a scaled embedding',
    fixed: { add_cross_attention: false },
    describe: (config) => ({
      ...OPT_LAYER,
      keys: {
        hidden: 'd_model',
        layers: 'num_layers',
        heads: 'attention_heads',
        kvHeads: null,
        intermediateSize: 'ffn_dim',
        activation: 'activation_function',
      },
      embedding: {
        scale: readEmbeddingScale(config, 'd_model'),
        positions: {
          kind: 'sinusoids',
          frequencies: makeFrequencies(config.count('d_model') / 2),
          offset: 2,
          empty: readPadding(config),
        },
      },
      extras: [/^model\.embed_positions\.weights$/],
    }),
  },
  biogpt: {
    title: 'BioGPT',
    notes: 'as OPT, with a scaled embedding',
    prefix: 'biogpt.',
    describe: (config) => {
      config.ignore('layer_norm_eps')
      return {
        ...OPT_LAYER,
        keys: { kvHeads: null },
        head: { name: 'output_projection' },
        embedding: {
          scale: readEmbeddingScale(config, 'hidden_size'),
          positions: {
            kind: 'learnt',
            name: 'embed_positions',
            count: config.length('max_position_embeddings', DECODERS.biogpt.learntPositions),
            offset: 2,
          },
        },
      }
    },
  },
}

/** OPT's layer, with biases everywhere. */
const OPT_LAYER: Differences = {
  tied: true,
  names: { finalNorm: 'layer_norm', output: 'out_proj', mlp: '', up: 'fc1', down: 'fc2' },
  norm: { kind: 'layer', key: null },
  norms: { beforeMixer: 'self_attn_layer_norm', beforeMlp: 'final_layer_norm' },
  bias: ALL_BIASES,
  mlp: 'plain',
  activation: 'gelu',
}

function readEmbeddingScale(config: ConfigReader, size: string): number {
  return config.flag('scale_embedding', true) ? Math.sqrt(config.count(size)) : 1
}

/** The position without an embedding: the number of the padding token. */
function readPadding(config: ConfigReader): number {
  const padding = config.number('pad_token_id', 1)
  if (Number.isSafeInteger(padding) && padding >= 0) return padding
  throw config.refuse('pad_token_id', 'a whole number of at least 0')
}

/** fairseq's frequencies, from 1 to 1/10000, in float32. */
function makeFrequencies(count: number): number[] {
  const step = Math.fround(-Math.log(10_000) / (count - 1))
  return Array.from({ length: count }, (_, index) => Math.fround(Math.exp(Math.fround(index * step))))
}

function describeOpt(config: ConfigReader): Differences {
  const bias = config.flag('enable_bias', true)
  const hasWeights = config.flag('layer_norm_elementwise_affine', true)
  const isBefore = config.flag('do_layer_norm_before', true)
  const size = config.count('word_embed_proj_dim', config.count('hidden_size'))
  return {
    decoderPrefix: 'decoder.',
    tied: true,
    names: { finalNorm: 'final_layer_norm', output: 'out_proj', mlp: '', up: 'fc1', down: 'fc2' },
    keys: { intermediateSize: 'ffn_dim', activation: 'activation_function' },
    norm: { kind: 'layer', key: null, weight: hasWeights, bias: hasWeights },
    norms: isBefore
      ? { beforeMixer: 'self_attn_layer_norm', beforeMlp: 'final_layer_norm' }
      : {
          beforeMixer: null,
          beforeMlp: null,
          streamAfterMixer: 'self_attn_layer_norm',
          streamAfterMlp: 'final_layer_norm',
        },
    noFinalNorm: !isBefore || config.flag('_remove_final_layer_norm', false),
    embedding: {
      size,
      projections: { into: 'project_in', back: 'project_out' },
      positions: {
        kind: 'learnt',
        name: 'embed_positions',
        count: config.length('max_position_embeddings', 2048),
        offset: 2,
      },
    },
    bias: { qkv: bias, output: bias, mlp: bias },
    mlp: 'plain',
    activation: 'relu',
  }
}

import type { ConfigReader } from './config-reader.js'
import type { Differences, LayerNorms, Sizes } from './differences.js'
import { readAttentionBias, rope } from './family-parts.js'

export const NOT_CAUSAL = 'take the causal model that it was made from'

/** What the Gemmas share: an embedding scaled by the root of the hidden size, norms of 1 + weight. */
export function describeGemma(config: ConfigReader): Differences {
  if (config.raw('use_bidirectional_attention')) {
    throw config.refuse('use_bidirectional_attention', 'false: only causal decoders can be read', NOT_CAUSAL)
  }
  return {
    tied: true,
    headDim: 256,
    norm: { weightOffset: 1 },
    embedding: { scale: Math.fround(Math.sqrt(config.count('hidden_size'))) },
    activation: 'gelu_pytorch_tanh',
  }
}

/** Gemma 2 and 3: norms before and after attention and MLP, a scale of its own, soft caps. */
export function describeSandwichedGemma(
  config: ConfigReader,
  scoreCap: number | null,
  logitCap: number | null,
): Differences {
  const scale = config.positive('query_pre_attn_scalar', 256) ** -0.5
  const cap = (key: string, otherwise: number | null) =>
    config.isNull(key) ? null : config.positive(key, otherwise)
  config.ignore('hidden_act')
  return {
    ...describeGemma(config),
    kvHeads: 4,
    bias: readAttentionBias(config),
    keys: { activation: 'hidden_activation' },
    norms: {
      afterMixer: 'post_attention_layernorm',
      beforeMlp: 'pre_feedforward_layernorm',
      afterMlp: 'post_feedforward_layernorm',
    },
    scale: () => scale,
    softcap: cap('attn_logit_softcapping', scoreCap),
    head: { softcap: cap('final_logit_softcapping', logitCap) },
  }
}

/** OLMo 2's layer: the outputs of attention and MLP are normed, their inputs are not. */
export const POST_NORMS: Differences = {
  norm: { epsilon: 1e-5 },
  norms: {
    beforeMixer: null,
    afterMixer: 'post_attention_layernorm',
    beforeMlp: null,
    afterMlp: 'post_feedforward_layernorm',
  },
  headNorm: { span: 'all heads', query: 'q_norm', key: 'k_norm' },
}

export function describeCohere(config: ConfigReader): Differences {
  return {
    tied: true,
    norm: { kind: 'layer', bias: false },
    norms: { beforeMlp: null },
    parallel: true,
    bias: readAttentionBias(config),
    head: { scale: config.number('logit_scale', 0.0625) },
  }
}

/** GPT-2 and the families that use its names: learnt positions, layer norms, plain MLP, biases everywhere. */
export function describeGpt2(
  config: ConfigReader,
  usual: { activation: string; positions: number },
): Differences {
  if (config.flag('add_cross_attention', false)) throw config.refuse('add_cross_attention', 'false')
  return {
    tied: true,
    names: {
      layers: 'h',
      embedding: 'wte',
      finalNorm: 'ln_f',
      attention: 'attn',
      packed: 'c_attn',
      output: 'c_proj',
      up: 'c_fc',
      down: 'c_proj',
    },
    keys: {
      hidden: 'n_embd',
      layers: 'n_layer',
      heads: 'n_head',
      inner: 'n_inner',
      activation: 'activation_function',
    },
    norm: { kind: 'layer', key: 'layer_norm_epsilon' },
    norms: { beforeMixer: 'ln_1', beforeMlp: 'ln_2' },
    embedding: {
      positions: {
        kind: 'learnt',
        name: 'wpe',
        count:
          config.length('n_positions', undefined) ??
          config.length('max_position_embeddings', usual.positions),
        offset: 0,
      },
    },
    bias: { qkv: true, output: true, mlp: true },
    layout: 'stacked',
    mlp: 'plain',
    innerMultiple: 4,
    activation: usual.activation,
    extras: [/\.attn\.(bias|masked_bias)$/],
  }
}

export function readGpt2Scale(config: ConfigReader): (layer: number, sizes: Sizes) => number {
  const isScaled = config.flag('scale_attn_weights', true)
  const byLayer = config.flag('scale_attn_by_inverse_layer_idx', false)
  return (layer, { headDim }) => (isScaled ? headDim ** -0.5 : 1) / (byLayer ? layer + 1 : 1)
}

export const NEOX_NAMES = {
  embedding: 'embed_in',
  finalNorm: 'final_layer_norm',
  attention: 'attention',
  packed: 'query_key_value',
  output: 'dense',
  up: 'dense_h_to_4h',
  down: 'dense_4h_to_h',
}

/** GLM 4: gate and up in one matrix, half of each head rotated, interleaved. */
export function describeGlm(config: ConfigReader): Differences {
  return {
    kvHeads: 2,
    headDim: 128,
    norm: { epsilon: 1.5625e-7 },
    bias: { qkv: config.flag('attention_bias', true) },
    mlp: 'gated in one',
    rope: rope(config, { partial: 0.5, interleaved: true }),
  }
}

/** GLM 4 0414: norms before and after attention and MLP. */
export const GLM4_NORMS: LayerNorms = {
  afterMixer: 'post_self_attn_layernorm',
  afterMlp: 'post_mlp_layernorm',
}

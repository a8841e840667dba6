import type { ConfigReader } from './config-reader.js'
import type { Differences } from './differences.js'
import type { Family } from './family.js'
import { rope } from './family-parts.js'

/** Names that both families give to their parts. */
const NAMES = {
  layers: 'h',
  embedding: 'word_embeddings',
  finalNorm: 'ln_f',
  attention: 'self_attention',
  packed: 'query_key_value',
  output: 'dense',
  up: 'dense_h_to_4h',
  down: 'dense_4h_to_h',
}

/** Decoders under the names of BLOOM: queries, keys and values of each key head side by side in one matrix. */
export const BLOOM_FAMILIES: Record<string, Family> = {
  bloom: {
    title: 'BLOOM, BLOOMZ',
    notes: 'linear biases (ALiBi), a norm after the embedding',
    prefix: 'transformer.',
    fixed: {
      skip_bias_add: true,
      skip_bias_add_qkv: false,
      alibi: true,
      hidden_act: 'gelu_new',
      apply_residual_connection_post_layernorm: false,
    },
    describe: (config) => {
      if (config.flag('slow_but_exact', false) && config.length('pretraining_tp', 1) > 1) {
        throw config.refuse('slow_but_exact', 'false, or a pretraining_tp of 1')
      }
      return {
        tied: true,
        names: NAMES,
        keys: {
          hidden: config.has('n_embed') ? 'n_embed' : 'hidden_size',
          layers: 'n_layer',
          heads: 'n_head',
          inner: 'n_inner',
        },
        norm: { kind: 'layer', key: 'layer_norm_epsilon' },
        embedding: { norm: 'word_embeddings_layernorm' },
        bias: { qkv: true, output: true, mlp: true },
        layout: 'grouped',
        mlp: 'plain',
        innerMultiple: 4,
        activation: 'gelu_new',
        alibi: ({ heads }) => ({ slopes: makeAlibiSlopes(heads), inBfloat16: false, scale: 1 }),
      }
    },
  },
  falcon: {
    title: 'Falcon 7B, 40B, 180B, 11B, RW',
    notes: 'one or few key heads, attention and MLP in parallel; ALiBi in RW',
    prefix: 'transformer.',
    describe: describeFalcon,
  },
}

/** Slopes of a geometric series; if the number of heads is not a power of two, the next series fills up (ALiBi's appendix). */
export function makeAlibiSlopes(heads: number): number[] {
  const power = 2 ** Math.floor(Math.log2(heads))
  const slope = (index: number, count: number) => 2 ** ((-8 * index) / count)
  const first = Array.from({ length: power }, (_, index) => slope(index + 1, power))
  const rest = Array.from({ length: heads - power }, (_, index) => slope(2 * index + 1, 2 * power))
  return [...first, ...rest]
}

function describeFalcon(config: ConfigReader): Differences {
  const hasAlibi = config.flag('alibi', false)
  const rotary = rope(config)
  const isNew = config.flag('new_decoder_architecture', false)
  const isParallel = config.flag('parallel_attn', true) || isNew
  const isMultiQuery = config.flag('multi_query', true) && !isNew
  const bias = config.flag('bias', false)
  config.ignore('num_kv_heads', 'multi_query', 'parallel_attn')
  const hasTwoNorms = config.count('num_ln_in_parallel_attn', isNew ? 2 : 1) === 2
  if (hasTwoNorms && !isNew)
    throw config.refuse('num_ln_in_parallel_attn', '1 without new_decoder_architecture')
  return {
    tied: true,
    names: NAMES,
    keys: {
      inner: 'ffn_hidden_size',
      activation: 'activation',
      kvHeads: isNew ? 'num_kv_heads' : null,
    },
    kvHeads: isMultiQuery ? 1 : undefined,
    norm: { kind: 'layer', key: 'layer_norm_epsilon' },
    norms: hasTwoNorms
      ? { beforeMixer: 'ln_attn', beforeMlp: 'ln_mlp' }
      : isParallel
        ? { beforeMlp: null }
        : {},
    parallel: isParallel,
    bias: { qkv: bias, output: bias, mlp: bias },
    layout: 'grouped',
    mlp: 'plain',
    innerMultiple: 4,
    activation: 'gelu',
    // As transformers computes it: rounded to bfloat16, and scaled as the scores are
    alibi: hasAlibi
      ? ({ heads, headDim }) => ({ slopes: makeAlibiSlopes(heads), inBfloat16: true, scale: headDim ** -0.5 })
      : undefined,
    rope: hasAlibi ? undefined : rotary,
  }
}

import type { Family } from './describe/family.js'
import { makeAlibiSlopes } from './describe/family-parts.js'

/** Names shared by both families. */
export const BLOOM_NAMES = {
  layers: 'h',
  embedding: 'word_embeddings',
  finalNorm: 'ln_f',
  attention: 'self_attention',
  packed: 'query_key_value',
  output: 'dense',
  up: 'dense_h_to_4h',
  down: 'dense_4h_to_h',
}

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
        names: BLOOM_NAMES,
        keys: {
          hidden: config.has('n_embed') ? 'n_embed' : 'hidden_size',
          layers: 'n_layer',
          heads: 'n_head',
          intermediateSize: 'n_inner',
        },
        norm: { kind: 'layer', key: 'layer_norm_epsilon' },
        embedding: { norm: 'word_embeddings_layernorm' },
        bias: { qkv: true, output: true, mlp: true },
        layout: 'qkv per group',
        mlp: 'plain',
        innerMultiple: 4,
        activation: 'gelu_new',
        alibi: ({ heads }) => ({ slopes: makeAlibiSlopes(heads), inBfloat16: false, scale: 1 }),
      }
    },
  },
}

import type { Architecture } from '../architecture.js'
import { flagOf } from '../write/source.js'
import { count, flag, optional } from '../write/written-value.js'
import { LLAMA, rename, statesRotated } from './parts.js'

const GPT2_TENSORS = rename(
  {
    attn_norm: 'ln_1',
    attn_qkv: 'attn.c_attn',
    attn_output: 'attn.c_proj',
    ffn_norm: 'ln_2',
    ffn_up: 'mlp.c_fc',
    ffn_down: 'mlp.c_proj',
  },
  {
    prefix: 'transformer.',
    layers: 'h',
    model: { token_embd: 'wte', position_embd: 'wpe', output_norm: 'ln_f' },
  },
)

/** Architectures with layer norms and mostly a plain MLP, in the line of GPT-2. */
export const GPT_ARCHITECTURES: Record<string, Architecture> = {
  gpt2: {
    family: 'gpt2',
    tensors: GPT2_TENSORS,
    norm: 'layer',
    epsilon: 'layer_norm_epsilon',
    rope: false,
    keys: {
      hidden: 'n_embd',
      layers: 'n_layer',
      heads: 'n_head',
      kvHeads: null,
      intermediateSize: 'n_inner',
      positions: 'n_positions',
    },
    dialect: { transposesMatrices: true },
    states: ({ shape }) => ({ feed_forward_length: optional(shape('blk.0.ffn_up.weight')?.[0], count) }),
  },
  gptneox: {
    family: 'gpt_neox',
    tensors: rename(
      {
        attn_qkv: 'attention.query_key_value',
        attn_output: 'attention.dense',
        ffn_up: 'mlp.dense_h_to_4h',
        ffn_down: 'mlp.dense_4h_to_h',
      },
      {
        prefix: 'gpt_neox.',
        head: 'embed_out',
        model: { token_embd: 'embed_in', output_norm: 'final_layer_norm' },
      },
    ),
    norm: 'layer',
    rope: true,
    keys: { kvHeads: null },
    dialect: { stacksProjections: true },
    settings: ({ metadata }) => ({ use_parallel_residual: metadata.flag('use_parallel_residual') ?? true }),
    states: (source) => ({
      ...statesRotated(source),
      use_parallel_residual: flag(flagOf(source, 'use_parallel_residual') ?? true),
    }),
  },
  phi2: {
    ...LLAMA,
    family: 'phi',
    norm: 'layer',
    tensors: rename(
      { attn_output: 'self_attn.dense', ffn_up: 'mlp.fc1', ffn_down: 'mlp.fc2' },
      { model: { output_norm: 'final_layernorm' } },
    ),
    // llama.cpp's converter states four times the hidden size, whatever it is
    settings: ({ tensor }) => ({ intermediate_size: tensor('blk.0.ffn_up.weight')?.shape[0] }),
    states: statesRotated,
  },
  stablelm: {
    ...LLAMA,
    family: 'stablelm',
    norm: 'layer',
    settings: ({ metadata, tensor }) => {
      metadata.ignore('use_parallel_residual')
      return {
        use_qkv_bias: tensor('blk.0.attn_q.bias') !== undefined,
        use_parallel_residual: tensor('blk.0.ffn_norm.weight') === undefined,
        qk_layernorm: tensor('blk.0.attn_q_norm.weight') !== undefined,
      }
    },
    states: (source) => ({
      ...statesRotated(source),
      use_parallel_residual: flag(source.shape('blk.0.ffn_norm.weight') === undefined),
    }),
    tensors: rename({
      attn_q_norm: { each: (index) => `self_attn.q_layernorm.norms.${index}` },
      attn_k_norm: { each: (index) => `self_attn.k_layernorm.norms.${index}` },
    }),
  },
  starcoder2: {
    ...LLAMA,
    family: 'starcoder2',
    norm: 'layer',
    epsilon: 'norm_epsilon',
    tensors: rename({ ffn_up: 'mlp.c_fc', ffn_down: 'mlp.c_proj' }),
    settings: () => ({ sliding_window: null }),
    dropsWindows: true,
  },
}

import type { Architecture } from '../architecture.js'
import { numberOf } from '../write/source.js'
import { count, optional, real } from '../write/written-value.js'
import {
  attentionBias,
  hasBias,
  INTERLEAVED,
  LLAMA,
  llamaBiases,
  QWEN3_IMAGES,
  rename,
  statesLlama,
  statesRotated,
  statesWindow,
  window,
} from './parts.js'

const MIXTRAL_TENSORS = rename({
  ffn_gate_inp: 'block_sparse_moe.gate',
  ffn_gate_exps: { each: (index) => `block_sparse_moe.experts.${index}.w1` },
  ffn_up_exps: { each: (index) => `block_sparse_moe.experts.${index}.w3` },
  ffn_down_exps: { each: (index) => `block_sparse_moe.experts.${index}.w2` },
})

const MIXTRAL: Architecture = {
  ...LLAMA,
  family: 'mixtral',
  tensors: MIXTRAL_TENSORS,
  dialect: INTERLEAVED,
  settings: ({ metadata }) => ({
    num_local_experts: metadata.number('expert_count'),
    num_experts_per_tok: metadata.number('expert_used_count'),
    sliding_window: null,
  }),
  states: statesLlama,
  dropsWindows: true,
}

/** Architectures with the layer of Llama, or nearly. */
export const LLAMA_VARIANTS: Record<string, Architecture> = {
  llama: {
    ...LLAMA,
    dialect: INTERLEAVED,
    settings: llamaBiases,
    states: statesLlama,
    holds: ['mistral', 'ministral'],
    dropsWindows: true,
    variant: { key: 'expert_count', architecture: MIXTRAL },
  },
  arcee: { ...LLAMA, family: 'arcee', dialect: INTERLEAVED, settings: llamaBiases, states: statesLlama },
  ernie4_5: { ...LLAMA, family: 'ernie4_5', settings: (facts) => ({ use_bias: hasBias(facts) }) },
  exaone: {
    ...LLAMA,
    family: 'exaone',
    epsilon: 'layer_norm_epsilon',
    tensors: rename(
      {
        attn_norm: 'ln_1',
        attn_q: 'attn.attention.q_proj',
        attn_k: 'attn.attention.k_proj',
        attn_v: 'attn.attention.v_proj',
        attn_output: 'attn.attention.out_proj',
        ffn_norm: 'ln_2',
        ffn_gate: 'mlp.c_fc_0',
        ffn_up: 'mlp.c_fc_1',
        ffn_down: 'mlp.c_proj',
      },
      { prefix: 'transformer.', layers: 'h', model: { token_embd: 'wte', output_norm: 'ln_f' } },
    ),
    states: statesRotated,
  },
  glm4: {
    ...LLAMA,
    family: 'glm4',
    tensors: rename({
      post_attention_norm: 'post_self_attn_layernorm',
      ffn_up: 'mlp.gate_up_proj',
      post_ffw_norm: 'post_mlp_layernorm',
    }),
    settings: attentionBias,
    states: statesRotated,
  },
  granite: {
    ...LLAMA,
    family: 'granite',
    dialect: INTERLEAVED,
    settings: (facts) => ({
      ...llamaBiases(facts),
      attention_multiplier: facts.metadata.number('attention.scale') || facts.headDim ** -0.5,
      embedding_multiplier: facts.metadata.number('embedding_scale') || 1,
      residual_multiplier: facts.metadata.number('residual_scale') || 1,
      logits_scaling: facts.metadata.number('logit_scale') || 1,
    }),
    states: (source) => ({
      ...statesLlama(source),
      'attention.scale': optional(numberOf(source, 'attention_multiplier'), real),
      embedding_scale: optional(numberOf(source, 'embedding_multiplier'), real),
      residual_scale: optional(numberOf(source, 'residual_multiplier'), real),
      logit_scale: optional(numberOf(source, 'logits_scaling'), real),
    }),
  },
  'hunyuan-dense': {
    ...LLAMA,
    family: 'hunyuan_v1_dense',
    tensors: rename({ attn_q_norm: 'self_attn.query_layernorm', attn_k_norm: 'self_attn.key_layernorm' }),
    settings: attentionBias,
  },
  minicpm: {
    ...LLAMA,
    family: 'minicpm',
    dialect: INTERLEAVED,
    settings: (facts) => {
      const { metadata, layers, hidden } = facts
      // llama.cpp has these numbers for old files that do not state them
      const residual = metadata.number('residual_scale') ?? 1.4 / Math.sqrt(layers)
      const logits = metadata.number('logit_scale') ?? hidden / 256
      return {
        ...attentionBias(facts),
        scale_emb: metadata.number('embedding_scale') ?? 12,
        scale_depth: residual * Math.sqrt(layers),
        dim_model_base: Math.round(hidden / logits),
      }
    },
    states: (source) => {
      const { layers, hidden } = source
      const [depth, base] = [numberOf(source, 'scale_depth'), numberOf(source, 'dim_model_base')]
      return {
        ...statesLlama(source),
        embedding_scale: optional(numberOf(source, 'scale_emb'), real),
        residual_scale: optional(depth, (depth) => real(depth / Math.sqrt(layers))),
        logit_scale: optional(base, (base) => real(hidden / base)),
      }
    },
  },
  phi3: {
    ...LLAMA,
    family: 'phi3',
    tensors: rename({ attn_qkv: 'self_attn.qkv_proj', ffn_up: 'mlp.gate_up_proj' }),
    settings: (facts) => ({
      sliding_window: window(facts),
      original_max_position_embeddings: facts.metadata.number('rope.scaling.original_context_length'),
    }),
    states: (source) => ({
      ...statesRotated(source),
      'attention.sliding_window': count(0),
      ...statesWindow(source),
      'rope.scaling.original_context_length': optional(
        numberOf(source, 'original_max_position_embeddings') ?? source.positions,
        count,
      ),
    }),
  },
  qwen2: { ...LLAMA, family: 'qwen2', settings: () => ({ use_sliding_window: false }) },
  /** On text alone its three positions are equal, which makes it Qwen 2. */
  qwen2vl: {
    ...LLAMA,
    family: 'qwen2',
    ignored: ['rope.dimension_sections'],
    settings: () => ({ use_sliding_window: false }),
  },
  qwen3: { ...LLAMA, family: 'qwen3', settings: attentionBias },
  /** On text alone it is Qwen 3: only the states of images get additions in the layers. */
  qwen3vl: { ...LLAMA, family: 'qwen3', ignored: QWEN3_IMAGES, settings: attentionBias },
  seed_oss: {
    ...LLAMA,
    family: 'seed_oss',
    settings: (facts) => ({
      attention_bias: hasBias(facts),
      attention_out_bias: facts.tensor('blk.0.attn_output.bias') !== undefined,
      mlp_bias: facts.tensor('blk.0.ffn_down.bias') !== undefined,
    }),
    tensors: rename({ post_attention_norm: 'post_attention_layernorm' }),
  },
  smollm3: { ...LLAMA, family: 'smollm3', dialect: INTERLEAVED, settings: llamaBiases, states: statesLlama },
}

import type { Architecture } from '../architecture.js'
import { readRopeParameters } from '../rope.js'
import { flagOf, numberOf } from '../write/source.js'
import { count, flag, optional, real } from '../write/written-value.js'
import {
  attentionBias,
  experts,
  LLAMA,
  layerTypes,
  QWEN3_IMAGES,
  rename,
  SIGMOID,
  sigmoidGating,
  statesExpertWidth,
  statesRotated,
  statesWindow,
  window,
} from './parts.js'

const QWEN3_MOE: Architecture = {
  ...LLAMA,
  family: 'qwen3_moe',
  settings: (facts) => ({
    ...attentionBias(facts),
    ...experts(facts),
    norm_topk_prob: facts.metadata.flag('expert_weights_norm') ?? true,
  }),
  states: statesExpertWidth,
}

export const EXPERT_ARCHITECTURES: Record<string, Architecture> = {
  glm4moe: {
    ...LLAMA,
    family: 'glm4_moe',
    tensors: rename({
      post_attention_norm: 'post_attention_layernorm',
      'exp_probs_b.bias': { name: 'mlp.gate.e_score_correction_bias' },
      ffn_gate_shexp: 'mlp.shared_experts.gate_proj',
      ffn_up_shexp: 'mlp.shared_experts.up_proj',
      ffn_down_shexp: 'mlp.shared_experts.down_proj',
    }),
    settings: (facts) => {
      const { metadata, tensor } = facts
      const { num_experts, ...sizes } = experts(facts)
      return {
        ...attentionBias(facts),
        ...sizes,
        n_routed_experts: num_experts,
        n_shared_experts: metadata.number('expert_shared_count'),
        first_k_dense_replace: metadata.number('leading_dense_block_count'),
        n_group: metadata.number('expert_group_count') ?? 1,
        topk_group: metadata.number('expert_group_used_count') ?? 1,
        norm_topk_prob: metadata.flag('expert_weights_norm') ?? true,
        routed_scaling_factor: metadata.number('expert_weights_scale') ?? 1,
        use_qk_norm: tensor('blk.0.attn_q_norm.weight') !== undefined,
        ...sigmoidGating(facts),
      }
    },
    states: (source) => ({
      ...statesRotated(source),
      ...statesExpertWidth(source),
      expert_shared_count: optional(numberOf(source, 'n_shared_experts'), count),
      leading_dense_block_count: optional(numberOf(source, 'first_k_dense_replace'), count),
      expert_gating_func: count(SIGMOID),
      expert_weights_scale: optional(numberOf(source, 'routed_scaling_factor'), real),
      expert_weights_norm: flag(flagOf(source, 'norm_topk_prob') ?? true),
    }),
  },
  'gpt-oss': {
    ...LLAMA,
    family: 'gpt_oss',
    tensors: rename({
      post_attention_norm: 'post_attention_layernorm',
      'attn_sinks.weight': { name: 'self_attn.sinks' },
      ffn_gate_inp: 'mlp.router',
      ...Object.fromEntries(
        ['gate', 'up', 'down'].flatMap((part) => [
          [`ffn_${part}_exps.weight`, { name: `mlp.experts.${part}_proj` }],
          [`ffn_${part}_exps.bias`, { name: `mlp.experts.${part}_proj_bias` }],
        ]),
      ),
    }),
    settings: (facts) => {
      const { num_experts, num_experts_per_tok, moe_intermediate_size } = experts(facts)
      const rope = readRopeParameters(facts)
      return {
        num_local_experts: num_experts,
        num_experts_per_tok,
        intermediate_size: moe_intermediate_size,
        sliding_window: window(facts),
        layer_types: layerTypes(facts, 2),
        // no file says it, but all gpt-oss models are so
        rope_parameters: rope.rope_type === 'yarn' ? { ...rope, truncate: false } : rope,
      }
    },
    states: (source) => ({
      ...statesWindow(source),
      expert_feed_forward_length: optional(numberOf(source, 'intermediate_size'), count),
    }),
  },
  olmoe: {
    ...LLAMA,
    family: 'olmoe',
    settings: (facts) => {
      const { moe_intermediate_size, ...counts } = experts(facts)
      return {
        ...counts,
        // absent from the files of llama.cpp's converter, which states one width for both
        ...(moe_intermediate_size !== undefined && { intermediate_size: moe_intermediate_size }),
        norm_topk_prob: false,
      }
    },
  },
  qwen2moe: {
    ...LLAMA,
    family: 'qwen2_moe',
    settings: (facts) => ({
      ...experts(facts),
      shared_expert_intermediate_size: facts.metadata.number('expert_shared_feed_forward_length'),
      norm_topk_prob: facts.metadata.flag('expert_weights_norm') ?? false,
    }),
    states: (source) => ({
      ...statesExpertWidth(source),
      expert_shared_feed_forward_length: optional(numberOf(source, 'shared_expert_intermediate_size'), count),
    }),
  },
  qwen3moe: QWEN3_MOE,
  qwen3vlmoe: { ...QWEN3_MOE, ignored: QWEN3_IMAGES },
}

import type { Architecture, Facts } from '../architecture.js'
import { numberOf, type Source } from '../write/source.js'
import { count, optional, type Statements } from '../write/written-value.js'
import { experts, LLAMA, rename, SIGMOID, sigmoidGating, statesExpertWidth } from './parts.js'

const LFM2_TENSORS = rename(
  {
    attn_norm: 'operator_norm',
    attn_output: 'self_attn.out_proj',
    attn_q_norm: 'self_attn.q_layernorm',
    attn_k_norm: 'self_attn.k_layernorm',
    ffn_norm: 'ffn_norm',
    ffn_gate: 'feed_forward.w1',
    ffn_up: 'feed_forward.w3',
    ffn_down: 'feed_forward.w2',
    ffn_gate_inp: 'feed_forward.gate',
    ffn_gate_exps: { each: (index) => `feed_forward.experts.${index}.w1` },
    ffn_up_exps: { each: (index) => `feed_forward.experts.${index}.w3` },
    ffn_down_exps: { each: (index) => `feed_forward.experts.${index}.w2` },
    'exp_probs_b.bias': { name: 'feed_forward.expert_bias' },
    'shortconv.in_proj': 'conv.in_proj',
    'shortconv.out_proj': 'conv.out_proj',
    'shortconv.conv': { module: 'conv.conv', axes: 3, axis: 1 },
  },
  { model: { token_embd_norm: 'embedding_norm' } },
)

/** Key and value heads are stated by layer; those without attention have none. */
function mostKvHeads({ metadata, layers }: Facts): number {
  return Math.max(...(metadata.perLayer('attention.head_count_kv', layers) ?? []))
}

function lfm2Layers({ metadata, layers }: Facts): string[] {
  const heads = metadata.perLayer('attention.head_count_kv', layers)!
  return heads.map((count) => (count === 0 ? 'conv' : 'full_attention'))
}

const statesConvolution = (source: Source): Statements => ({
  vocab_size: count(source.vocabulary),
  'shortconv.l_cache': optional(numberOf(source, 'conv_L_cache'), count),
  feed_forward_length: optional(source.shape('blk.0.ffn_up.weight')?.[0], count),
})

/** Architectures in which most layers have a short convolution instead of attention. */
export const CONVOLUTION_ARCHITECTURES: Record<string, Architecture> = {
  lfm2: {
    ...LLAMA,
    family: 'lfm2',
    tensors: LFM2_TENSORS,
    epsilon: 'norm_eps',
    kvHeads: mostKvHeads,
    settings: (facts) => ({
      layer_types: lfm2Layers(facts),
      block_auto_adjust_ff_dim: false,
      conv_L_cache: facts.metadata.number('shortconv.l_cache'),
    }),
    states: statesConvolution,
  },
  lfm2moe: {
    ...LLAMA,
    family: 'lfm2_moe',
    tensors: LFM2_TENSORS,
    epsilon: 'norm_eps',
    kvHeads: mostKvHeads,
    settings: (facts) => ({
      ...experts(facts),
      layer_types: lfm2Layers(facts),
      num_dense_layers: facts.metadata.number('leading_dense_block_count'),
      conv_L_cache: facts.metadata.number('shortconv.l_cache'),
      norm_topk_prob: true,
      use_expert_bias: true,
      ...sigmoidGating(facts),
    }),
    states: (source) => ({
      ...statesConvolution(source),
      ...statesExpertWidth(source),
      leading_dense_block_count: optional(numberOf(source, 'num_dense_layers'), count),
      expert_gating_func: count(SIGMOID),
    }),
  },
}

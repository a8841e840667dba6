import type { Architecture, Facts } from './architecture.js'
import { readRopeParameters } from './rope.js'
import { LLAMA_TENSORS, type Target, type TensorNames } from './tensor-names.js'

/** Names that differ from Llama's. */
function rename(
  layer: Record<string, Target>,
  others: Partial<Omit<TensorNames, 'layer'>> = {},
): TensorNames {
  return {
    ...LLAMA_TENSORS,
    ...others,
    model: { ...LLAMA_TENSORS.model, ...others.model },
    layer: { ...LLAMA_TENSORS.layer, ...layer },
  }
}

const LLAMA: Architecture = { family: 'llama', tensors: LLAMA_TENSORS, norm: 'rms', rope: true }

/** Number of a function of the router's outputs. */
const SIGMOID = 2

/** Rope takes neighbours as pairs, and rows of queries and keys are in that order. */
const INTERLEAVED = { interleavesRope: true } as const
const FOLDED_NORMS = { foldsNormOffset: true } as const

const hasBias = ({ tensor }: Facts) => tensor('blk.0.attn_q.bias') !== undefined
const attentionBias = (facts: Facts) => ({ attention_bias: hasBias(facts) })
const llamaBiases = (facts: Facts) => ({
  ...attentionBias(facts),
  mlp_bias: facts.tensor('blk.0.ffn_down.bias') !== undefined,
})

/** Norms after attention and MLP, as Gemma 2 has them. */
const SANDWICH = {
  post_attention_norm: 'post_attention_layernorm',
  ffn_norm: 'pre_feedforward_layernorm',
  post_ffw_norm: 'post_feedforward_layernorm',
}

/** Norms after attention and MLP, and none before. */
const AFTER_NORMS = {
  post_attention_norm: 'post_attention_layernorm',
  post_ffw_norm: 'post_feedforward_layernorm',
}

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
    exp_probs_b: { name: 'feed_forward.expert_bias' },
    'shortconv.in_proj': 'conv.in_proj',
    'shortconv.out_proj': 'conv.out_proj',
    'shortconv.conv': { module: 'conv.conv', shape: ([channels = 0, size = 0]) => [channels, 1, size] },
  },
  { model: { token_embd_norm: 'embedding_norm' } },
)

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

const MIXTRAL_TENSORS = rename({
  ffn_gate_inp: 'block_sparse_moe.gate',
  ffn_gate_exps: { each: (index) => `block_sparse_moe.experts.${index}.w1` },
  ffn_up_exps: { each: (index) => `block_sparse_moe.experts.${index}.w3` },
  ffn_down_exps: { each: (index) => `block_sparse_moe.experts.${index}.w2` },
})

/**
 * Which layers see only a window, by the file's own list or period, or the architecture's rule.
 * @param period usual period of the layers that see everything, the last of each
 */
function layerTypes({ metadata, layers }: Facts, period: number): string[] {
  const stated = metadata.value('attention.sliding_window_pattern')
  const own = typeof stated === 'number' ? stated : period
  const slides = Array.isArray(stated)
    ? metadata.perLayer('attention.sliding_window_pattern', layers)!.map(Boolean)
    : Array.from({ length: layers }, (_, layer) => own === 0 || (layer + 1) % own !== 0)
  return slides.map((is) => (is ? 'sliding_attention' : 'full_attention'))
}

const window = ({ metadata }: Facts) => metadata.number('attention.sliding_window') || null

/** Layers with a window have a rope of their own, without scaling. */
function ropesByType(facts: Facts, usualBase?: number): Record<string, unknown> {
  const full = readRopeParameters(facts)
  const base = facts.metadata.number('rope.freq_base_swa') ?? usualBase ?? full.rope_theta
  return { full_attention: full, sliding_attention: { rope_type: 'default', rope_theta: base } }
}

/** Key and value heads are stated by layer; those without attention have none. */
function mostKvHeads({ metadata, layers }: Facts): number {
  return Math.max(...(metadata.perLayer('attention.head_count_kv', layers) ?? []))
}

function lfm2Layers({ metadata, layers }: Facts): string[] {
  const heads = metadata.perLayer('attention.head_count_kv', layers)!
  return heads.map((count) => (count === 0 ? 'conv' : 'full_attention'))
}

/** Experts of Qwen's kind. */
function experts({ metadata, layers }: Facts): Record<string, unknown> {
  return {
    num_experts: metadata.number('expert_count'),
    num_experts_per_tok: metadata.number('expert_used_count'),
    moe_intermediate_size: metadata.shared('expert_feed_forward_length', layers),
  }
}

/** @throws LayerpruneError if a file states another function of the router's outputs */
function sigmoidGating({ metadata }: Facts): Record<string, never> {
  if ((metadata.number('expert_gating_func') ?? SIGMOID) === SIGMOID) return {}
  throw metadata.refuse('expert_gating_func', `${SIGMOID}, the sigmoid`)
}

/** llama.cpp knows the 27B by its number of layers, and scales its scores by another size than that of a head. */
function gemmaScale({ layers, hidden, heads, headDim }: Facts, layersOf27B: number): number {
  return layers === layersOf27B ? hidden / heads : headDim
}

const QWEN3_IMAGES = ['rope.dimension_sections', 'n_deepstack_layers']

const QWEN3_MOE: Architecture = {
  ...LLAMA,
  family: 'qwen3_moe',
  settings: (facts) => ({
    ...attentionBias(facts),
    ...experts(facts),
    norm_topk_prob: facts.metadata.flag('expert_weights_norm') ?? true,
  }),
}

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
}

const OLMO3: Architecture = {
  ...LLAMA,
  family: 'olmo3',
  tensors: rename(AFTER_NORMS),
  rope: false,
  settings: (facts) => ({
    sliding_window: window(facts),
    layer_types: layerTypes(facts, 4),
    rope_parameters: ropesByType(facts),
  }),
}

/** By `general.architecture`. */
export const ARCHITECTURES: Record<string, Architecture> = {
  llama: {
    ...LLAMA,
    dialect: INTERLEAVED,
    settings: llamaBiases,
    variant: { key: 'expert_count', architecture: MIXTRAL },
  },
  arcee: { ...LLAMA, family: 'arcee', dialect: INTERLEAVED, settings: llamaBiases },
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
  },
  smollm3: { ...LLAMA, family: 'smollm3', dialect: INTERLEAVED, settings: llamaBiases },
  qwen2: { ...LLAMA, family: 'qwen2', settings: () => ({ use_sliding_window: false }) },
  qwen3: { ...LLAMA, family: 'qwen3', settings: attentionBias },
  qwen2moe: {
    ...LLAMA,
    family: 'qwen2_moe',
    settings: (facts) => ({
      ...experts(facts),
      shared_expert_intermediate_size: facts.metadata.number('expert_shared_feed_forward_length'),
      norm_topk_prob: facts.metadata.flag('expert_weights_norm') ?? false,
    }),
  },
  /** Of text alone, whose three positions are equal, it is Qwen 2. */
  qwen2vl: {
    ...LLAMA,
    family: 'qwen2',
    ignored: ['rope.dimension_sections'],
    settings: () => ({ use_sliding_window: false }),
  },
  /** Likewise; what layers add to the states of images is no part of text. */
  qwen3vl: { ...LLAMA, family: 'qwen3', ignored: QWEN3_IMAGES, settings: attentionBias },
  qwen3vlmoe: { ...QWEN3_MOE, ignored: QWEN3_IMAGES },
  qwen3moe: QWEN3_MOE,
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
  gemma: { ...LLAMA, family: 'gemma', dialect: FOLDED_NORMS },
  gemma2: {
    ...LLAMA,
    family: 'gemma2',
    tensors: rename(SANDWICH),
    dialect: FOLDED_NORMS,
    settings: (facts) => ({
      query_pre_attn_scalar: gemmaScale(facts, 46),
      attn_logit_softcapping: facts.metadata.number('attn_logit_softcapping') ?? 50,
      final_logit_softcapping: facts.metadata.number('final_logit_softcapping') ?? 30,
      sliding_window: window(facts) ?? 4096,
      layer_types: layerTypes(facts, 2),
    }),
  },
  gemma3: {
    ...LLAMA,
    family: 'gemma3_text',
    tensors: rename(SANDWICH),
    dialect: FOLDED_NORMS,
    rope: false,
    settings: (facts) => ({
      query_pre_attn_scalar: gemmaScale(facts, 62),
      final_logit_softcapping: facts.metadata.number('final_logit_softcapping') || null,
      sliding_window: window(facts),
      layer_types: window(facts) ? layerTypes(facts, 6) : new Array(facts.layers).fill('full_attention'),
      rope_parameters: ropesByType(facts, 10_000),
    }),
  },
  'gpt-oss': {
    ...LLAMA,
    family: 'gpt_oss',
    tensors: rename({
      post_attention_norm: 'post_attention_layernorm',
      attn_sinks: { name: 'self_attn.sinks' },
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
  },
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
  },
  olmo2: {
    ...LLAMA,
    family: 'olmo2',
    tensors: rename(AFTER_NORMS),
    variant: { key: 'attention.sliding_window', architecture: OLMO3 },
  },
  phi3: {
    ...LLAMA,
    family: 'phi3',
    tensors: rename({ attn_qkv: 'self_attn.qkv_proj', ffn_up: 'mlp.gate_up_proj' }),
    settings: (facts) => ({
      sliding_window: window(facts),
      original_max_position_embeddings: facts.metadata.number('rope.scaling.original_context_length'),
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
  },
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
      inner: 'n_inner',
      positions: 'n_positions',
    },
    dialect: { transposesMatrices: true },
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
  },
  starcoder2: {
    ...LLAMA,
    family: 'starcoder2',
    norm: 'layer',
    epsilon: 'norm_epsilon',
    tensors: rename({ ffn_up: 'mlp.c_fc', ffn_down: 'mlp.c_proj' }),
    settings: () => ({ sliding_window: null }),
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
    tensors: rename({
      attn_q_norm: { each: (index) => `self_attn.q_layernorm.norms.${index}` },
      attn_k_norm: { each: (index) => `self_attn.k_layernorm.norms.${index}` },
    }),
  },
  olmo: {
    ...LLAMA,
    family: 'olmo',
    norm: 'layer',
    epsilon: null,
    dialect: INTERLEAVED,
    settings: ({ metadata }) => ({ clip_qkv: metadata.number('attention.clamp_kqv') || null }),
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
  glm4: {
    ...LLAMA,
    family: 'glm4',
    tensors: rename({
      post_attention_norm: 'post_self_attn_layernorm',
      ffn_up: 'mlp.gate_up_proj',
      post_ffw_norm: 'post_mlp_layernorm',
    }),
    settings: attentionBias,
  },
  'command-r': {
    ...LLAMA,
    family: 'cohere',
    norm: 'layer',
    settings: (facts) => ({
      ...attentionBias(facts),
      logit_scale: facts.metadata.number('logit_scale'),
      use_qk_norm: facts.tensor('blk.0.attn_q_norm.weight') !== undefined,
    }),
  },
  cohere2: {
    ...LLAMA,
    family: 'cohere2',
    norm: 'layer',
    settings: (facts) => ({
      ...attentionBias(facts),
      logit_scale: facts.metadata.number('logit_scale'),
      sliding_window: window(facts),
      layer_types: layerTypes(facts, 4),
    }),
  },
  exaone4: {
    ...LLAMA,
    family: 'exaone4',
    tensors: rename(AFTER_NORMS),
    settings: (facts) => ({
      sliding_window: window(facts),
      layer_types: window(facts) ? layerTypes(facts, 4) : undefined,
    }),
  },
  glm4moe: {
    ...LLAMA,
    family: 'glm4_moe',
    tensors: rename({
      post_attention_norm: 'post_attention_layernorm',
      exp_probs_b: { name: 'mlp.gate.e_score_correction_bias' },
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
  },
  'hunyuan-dense': {
    ...LLAMA,
    family: 'hunyuan_v1_dense',
    tensors: rename({
      attn_q_norm: 'self_attn.query_layernorm',
      attn_k_norm: 'self_attn.key_layernorm',
    }),
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
  },
  nemotron: {
    ...LLAMA,
    family: 'nemotron',
    norm: 'layer',
    epsilon: 'norm_eps',
    dialect: FOLDED_NORMS,
    settings: llamaBiases,
  },
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
  },
  ernie4_5: {
    ...LLAMA,
    family: 'ernie4_5',
    settings: (facts) => ({ use_bias: hasBias(facts) }),
  },
}

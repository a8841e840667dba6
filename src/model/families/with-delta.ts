import type { ConfigReader } from './config-reader.js'
import {
  countChannels,
  type DeltaSizes,
  describeDecay,
  describeDelta,
  nameConvolutions,
  readDeltaSizes,
  readLinearLayers,
} from './delta-parts.js'
import type { Delta, DeltaProjections, Experts } from './description.js'
import type { Differences, ExpertParts, LayerNorms, MixerParts } from './differences.js'
import type { Family } from './family.js'
import { POST_NORMS } from './family-bases.js'
import {
  allButEvery,
  describeExperts,
  describeSharedExpert,
  QWEN_EXPERTS,
  readAttentionBias,
  readExpertCount,
  readSparseLayers,
  rope,
  softmaxRouting,
} from './family-parts.js'

/** Keys of Qwen's configs that state what its hybrids always do. */
const QWEN_FIXED = { attn_output_gate: true, output_gate_type: 'swish' }

/** Decoders in which most layers have linear attention by the gated delta rule. */
export const DELTA_FAMILIES: Record<string, Family> = {
  qwen3_5_text: {
    title: 'Qwen 3.5 (dense)',
    notes: 'linear attention by the gated delta rule in three layers of four, gated attention in the others',
    fixed: QWEN_FIXED,
    windowOffByDefault: true,
    describe: (config) => describeQwenHybrid(config, stackedInputs),
  },
  qwen3_5_moe_text: {
    title: 'Qwen 3.5 (experts)',
    notes: 'as the dense Qwen 3.5, with experts and one that every token passes',
    fixed: { ...QWEN_FIXED, norm_topk_prob: true, decoder_sparse_step: 1 },
    windowOffByDefault: true,
    describe: (config, has) => {
      if (config.numbers('mlp_only_layers', []).length > 0) {
        throw config.refuse('mlp_only_layers', 'an empty list: all layers of the family have experts')
      }
      const experts = readQwenExperts(config, has, { count: 256, perToken: 8, normalized: true })
      config.ignore('intermediate_size')
      return {
        ...describeQwenHybrid(config, stackedInputs),
        kvHeads: 2,
        experts: (_layer, parts) => experts(parts),
      }
    },
  },
  qwen3_next: {
    title: 'Qwen 3 Next',
    notes: 'as Qwen 3.5 with experts, which some layers can lack; inputs of linear attention in two matrices',
    fixed: QWEN_FIXED,
    windowOffByDefault: true,
    describe: (config, has) => {
      const isSparse = readSparseLayers(config)
      const normalized = config.flag('norm_topk_prob', true)
      const experts = readQwenExperts(config, has, { count: 512, perToken: 10, normalized })
      config.ignore('intermediate_size')
      return {
        ...describeQwenHybrid(config, groupedInputs),
        kvHeads: 2,
        experts: (layer, parts) => (isSparse(layer) ? experts(parts) : null),
      }
    },
  },
  olmo_hybrid: {
    title: 'OLMo Hybrid',
    notes:
      'linear attention by the gated delta rule in three layers of four, layers as in OLMo 2 between them',
    cutLimit: ({ kept }, { layer_types }) =>
      !Array.isArray(layer_types) || new Set(kept.map((layer) => layer_types[layer])).size > 1
        ? undefined
        : 'olmo_hybrid needs a layer of full attention and one of linear attention',
    describe: describeOlmoHybrid,
  },
}

function readQwenExperts(
  config: ConfigReader,
  has: (name: string) => boolean,
  usual: { count: number; perToken: number; normalized: boolean },
): (parts: ExpertParts) => Experts {
  const settings = {
    names: QWEN_EXPERTS,
    count: readExpertCount(config, usual.count),
    perToken: config.count('num_experts_per_tok', usual.perToken),
    routing: softmaxRouting(usual.normalized),
    inner: config.count('moe_intermediate_size', 512),
  }
  const shared = config.count('shared_expert_intermediate_size', 512)
  return (parts) => ({
    ...describeExperts(parts, has, settings),
    shared: describeSharedExpert(parts, shared),
  })
}

/** Qwen 3 Next and 3.5: norms of 1 + weight, attention with a gate on its output, a quarter of each head rotated. */
function describeQwenHybrid(
  config: ConfigReader,
  inputs: (parts: MixerParts, sizes: DeltaSizes) => DeltaProjections,
): Differences {
  const sizes = readDeltaSizes(config, {
    keyHeads: 16,
    valueHeads: 32,
    keyDim: () => 128,
    valueDim: () => 128,
  })
  const isLinear = readLinearLayers(config, allButEvery(config.length('full_attention_interval', 4)))
  config.ignore('mamba_ssm_dtype', 'mtp_num_hidden_layers', 'mtp_use_dedicated_embeddings')
  return {
    kvHeads: 4,
    headDim: 256,
    norm: { weightOffset: 1 },
    bias: readAttentionBias(config),
    headNorm: { span: 'head', query: 'q_norm', key: 'k_norm' },
    gate: 'beside queries',
    rope: rope(config, { partial: 0.25 }),
    mixer: (layer, parts) => {
      if (!isLinear(layer)) return null
      return describeDelta(parts, sizes, {
        projections: inputs(parts, sizes),
        convolutions: [parts.name('linear_attn.conv1d.weight')],
        decay: describeDecay(parts, sizes),
        betaScale: 1,
        gateActivation: 'silu',
        norm: parts.makeNorm(parts.name('linear_attn.norm'), { size: sizes.valueDim, weightOffset: 0 }),
        output: 'linear_attn.out_proj',
      })
    },
    // layers that predict further tokens
    extras: [/^mtp\./],
  }
}

/** Qwen 3.5: all queries, keys and values from one product. */
function stackedInputs({ linear, sizes: { hidden } }: MixerParts, delta: DeltaSizes): DeltaProjections {
  const { keys, values } = countChannels(delta)
  return {
    layout: 'stacked',
    queriesKeysValues: [linear('linear_attn.in_proj_qkv', hidden, 2 * keys + values)],
    gate: [linear('linear_attn.in_proj_z', hidden, values)],
    beta: linear('linear_attn.in_proj_b', hidden, delta.valueHeads),
    decay: [linear('linear_attn.in_proj_a', hidden, delta.valueHeads)],
  }
}

/** Qwen 3 Next: two products, sorted by key head. */
function groupedInputs({ linear, sizes: { hidden } }: MixerParts, delta: DeltaSizes): DeltaProjections {
  const { keys, values } = countChannels(delta)
  return {
    layout: 'grouped',
    mixed: linear('linear_attn.in_proj_qkvz', hidden, 2 * (keys + values)),
    rates: linear('linear_attn.in_proj_ba', hidden, 2 * delta.valueHeads),
  }
}

/** OLMo Hybrid: linear attention behind a norm, attention and its MLP before norms; betas of up to 2. */
function describeOlmoHybrid(config: ConfigReader, has: (name: string) => boolean): Differences {
  const layers = config.layers('num_hidden_layers')
  const heads = config.count('num_attention_heads')
  const hidden = config.count('hidden_size')
  const sizes = readDeltaSizes(config, {
    keyHeads: heads,
    valueHeads: heads,
    keyDim: (keyHeads) => Math.floor((0.75 * hidden) / keyHeads),
    valueDim: (keyDim) => 2 * keyDim,
  })
  const usual = layers < 4 ? (layer: number) => layer < layers - 1 : allButEvery(4)
  const isLinear = readLinearLayers(config, usual)
  const kinds = new Set(Array.from({ length: layers }, (_, layer) => isLinear(layer)))
  if (kinds.size === 1) {
    throw config.refuse('layer_types', 'at least one of linear_attention and one of full_attention')
  }
  const betaScale = config.flag('linear_allow_neg_eigval', true) ? 2 : 1
  config.ignore('linear_a_log_min', 'linear_a_log_max')
  config.ignore('linear_dt_min', 'linear_dt_max', 'linear_dt_init_floor')
  return {
    ...POST_NORMS,
    norm: { epsilon: 1e-6 },
    norms: (layer, name) => nameOlmoNorms(isLinear(layer), (module) => has(name(`${module}.weight`))),
    bias: readAttentionBias(config),
    rope: readOlmoRope(config),
    mixer: (layer, parts) => (isLinear(layer) ? describeOlmoDelta(parts, has, sizes, betaScale) : null),
  }
}

/** Where norms are, and what they are called in checkpoints of transformers 5 or of OLMo itself. */
function nameOlmoNorms(isLinear: boolean, has: (module: string) => boolean): LayerNorms {
  const first = has('attention_layer_norm') ? 'attention_layer_norm' : 'input_layernorm'
  const second = has('feedforward_layer_norm') ? 'feedforward_layer_norm' : 'post_attention_layernorm'
  return isLinear
    ? { beforeMixer: first, beforeMlp: second }
    : { beforeMixer: null, afterMixer: second, beforeMlp: null, afterMlp: 'post_feedforward_layernorm' }
}

function describeOlmoDelta(
  parts: MixerParts,
  has: (name: string) => boolean,
  sizes: DeltaSizes,
  betaScale: number,
): Delta {
  const { name, makeNorm } = parts
  const { hidden } = parts.sizes
  const { keys, values } = countChannels(sizes)
  const linear = (module: string, outputs: number) => parts.linear(`linear_attn.${module}`, hidden, outputs)
  return describeDelta(parts, sizes, {
    projections: {
      layout: 'stacked',
      queriesKeysValues: [linear('q_proj', keys), linear('k_proj', keys), linear('v_proj', values)],
      gate: [linear('g_proj', values)],
      beta: linear('b_proj', sizes.valueHeads),
      decay: [linear('a_proj', sizes.valueHeads)],
    },
    convolutions: nameConvolutions(parts, 'linear_attn', has),
    decay: describeDecay(parts, sizes),
    betaScale,
    gateActivation: 'silu',
    norm: makeNorm(name('linear_attn.o_norm'), { size: sizes.valueDim, epsilon: 1e-5 }),
    output: 'linear_attn.o_proj',
  })
}

/**
 * OLMo Hybrid as published has a theta of null: no rotary embedding. transformers 5 reads a config without any theta as
 * one with the usual theta, other programs as one with none.
 */
function readOlmoRope(config: ConfigReader): Differences['rope'] {
  const parameters = config.object('rope_parameters')
  if (parameters?.isNull('rope_theta')) {
    config.expect('rope_theta', null)
    config.ignore('rope_scaling')
    return undefined
  }
  if (config.has('rope_theta') || parameters?.has('rope_theta')) return rope(config)
  throw config.refuse(
    'rope_parameters',
    'a rope_theta in it, or null for none: programs differ in what its absence means',
  )
}

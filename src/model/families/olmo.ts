import type { ConfigReader } from './describe/config-reader.js'
import {
  countChannels,
  type DeltaSizes,
  describeDecay,
  describeDelta,
  nameConvolutions,
  readDeltaSizes,
  readLinearLayers,
} from './describe/delta-parts.js'
import type { GatedDeltaNet } from './describe/description.js'
import type { Differences, LayerNorms, MixerParts } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import {
  allButEvery,
  describeExperts,
  MLP_WIDTH,
  QWEN_EXPERTS,
  readAttentionBias,
  readExpertCounts,
  rope,
  softmaxRouting,
} from './describe/family-parts.js'
import { readLayerTypes, readWindow, windowsOf } from './describe/layer-types.js'

export const OLMO_FAMILIES: Record<string, Family> = {
  olmo: {
    title: 'OLMo 1',
    notes: 'layer norms without weights, queries, keys and values clipped',
    describe: (config) => ({
      norm: { kind: 'layer', key: null, weight: false, bias: false },
      bias: readAttentionBias(config),
      clip: config.positive('clip_qkv', null),
      rope: rope(config),
    }),
  },
  olmo2: {
    title: 'OLMo 2',
    notes: 'norms after attention and MLP instead of before; norms over all queries and all keys',
    describe: (config) => ({ ...POST_NORMS, bias: readAttentionBias(config), rope: rope(config) }),
  },
  olmo3: {
    title: 'OLMo 3',
    notes: 'as OLMo 2, with a window in three layers of four',
    describe: (config) => {
      const types = readLayerTypes(config, allButEvery(4))
      const full = rope(config, { theta: 500_000, layerType: 'full_attention' })
      const sliding = rope(config, { theta: 500_000, layerType: 'sliding_attention', scaled: false })
      return {
        ...POST_NORMS,
        bias: readAttentionBias(config),
        rope: (layer, sizes) => (types(layer) === 'full_attention' ? full : sliding)(layer, sizes),
        window: windowsOf(config, types, readWindow(config, 4096)),
      }
    },
  },
  olmoe: {
    title: 'OLMoE',
    notes: 'experts, norms over all queries and all keys',
    describe: (config, has) => {
      const settings = {
        names: QWEN_EXPERTS,
        ...readExpertCounts(config, { count: 64, topK: 8 }, MLP_WIDTH),
        routing: softmaxRouting(config.flag('norm_topk_prob', false)),
      }
      return {
        norm: { epsilon: 1e-5 },
        bias: readAttentionBias(config),
        headNorm: { span: 'all heads', query: 'q_norm', key: 'k_norm' },
        clip: config.positive('clip_qkv', null),
        rope: rope(config),
        experts: (_layer, parts) => describeExperts(parts, has, settings),
      }
    },
  },
  flex_olmo: {
    title: 'FlexOlmo',
    notes: 'as OLMo 2, with experts',
    describe: (config, has) => {
      const settings = {
        names: QWEN_EXPERTS,
        ...readExpertCounts(config, { count: 7, topK: 5, intermediateSize: 11_008 }, MLP_WIDTH),
        routing: softmaxRouting(config.flag('norm_topk_prob', false)),
      }
      return {
        ...POST_NORMS,
        norm: { epsilon: 1e-6 },
        bias: readAttentionBias(config),
        rope: rope(config, { theta: 500_000 }),
        experts: (_layer, parts) => describeExperts(parts, has, settings),
      }
    },
  },
  olmo_hybrid: {
    title: 'OLMo Hybrid',
    notes: 'linear attention by the gated delta rule in three layers of four, layers as in OLMo 2 between them',
    cutLimit: ({ kept }, { layer_types }) =>
      !Array.isArray(layer_types) || new Set(kept.map((layer) => layer_types[layer])).size > 1
        ? undefined
        : 'olmo_hybrid needs a layer of full attention and one of linear attention',
    describe: describeOlmoHybrid,
  },
}

/** OLMo Hybrid: a norm before linear attention, norms after attention and its MLP; betas of up to 2. */
function describeOlmoHybrid(config: ConfigReader, has: Has): Differences {
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

/** The norms of a layer, under the names of transformers 5 or of OLMo's own checkpoints. */
function nameOlmoNorms(isLinear: boolean, has: (module: string) => boolean): LayerNorms {
  const first = has('attention_layer_norm') ? 'attention_layer_norm' : 'input_layernorm'
  const second = has('feedforward_layer_norm') ? 'feedforward_layer_norm' : 'post_attention_layernorm'
  return isLinear
    ? { beforeMixer: first, beforeMlp: second }
    : { beforeMixer: null, afterMixer: second, beforeMlp: null, afterMlp: 'post_feedforward_layernorm' }
}

function describeOlmoDelta(parts: MixerParts, has: Has, sizes: DeltaSizes, betaScale: number): GatedDeltaNet {
  const { name, makeNorm } = parts
  const { hidden } = parts.sizes
  const { keys, values } = countChannels(sizes)
  const linear = (module: string, outputs: number) => parts.linear(`linear_attn.${module}`, hidden, outputs)
  return describeDelta(parts, sizes, {
    projections: {
      layout: 'qkv',
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
 * OLMo Hybrid as published has a theta of null: no rotary embedding. If the key is absent, transformers 5 assumes the
 * default theta, but other programs no rotary embedding.
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

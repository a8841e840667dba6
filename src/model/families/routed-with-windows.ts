import type { ConfigReader } from './config-reader.js'
import type { Differences } from './differences.js'
import type { Family } from './family.js'
import { allButEvery, QWEN_EXPERTS, readAttentionBias, readExpertCount, rope } from './family-parts.js'
import { readLayerRopes } from './layer-ropes.js'
import { readLayerTypes, readWindow, windowsOf } from './layer-types.js'
import {
  describeRoutedExperts,
  type RoutedExperts,
  readGroupedRouting,
  readMlpTypes,
} from './router-parts.js'

type Has = (name: string) => boolean

/** Nearly, but not exactly, the root of one half. */
const MIMO_VALUE_SCALE = 707 / 1000

const HEAD_NORM = { span: 'head', query: 'q_norm', key: 'k_norm' } as const

/** Mixtures whose layers with a window differ from the others in more than that. */
export const WINDOWED_MIXTURES: Record<string, Family> = {
  kolibri1: {
    title: 'Kolibri 1',
    notes: 'four norms, rotary embedding in layers with a window, experts chosen with a bias',
    describe: describeKolibri,
  },
  flint: {
    title: 'Flint',
    notes: 'as Qwen 3 MoE; sinks, rotary embedding in layers with a window, experts chosen by sigmoids',
    describe: describeFlint,
  },
  mimo_v2_flash: {
    title: 'MiMo V2 Flash',
    notes: 'windows with sinks and twice the key heads, values shorter than keys, experts chosen with a bias',
    describe: describeMimo,
  },
}

function describeKolibri(config: ConfigReader, has: Has): Differences {
  const window = readWindow(config, 513)
  const types = readLayerTypes(config, allButEvery(5))
  const shared = rope(config)
  const routed: RoutedExperts = {
    names: QWEN_EXPERTS,
    count: readExpertCount(config, 384),
    perToken: config.count('num_experts_per_tok', 6),
    inner: config.count('moe_intermediate_size', 512),
    routing: {
      scores: 'sigmoid',
      choiceBias: null,
      biasesOutputs: true,
      normalized: config.flag('norm_topk_prob', false) ? { sumEpsilon: 0 } : null,
      scale: 1,
    },
    choiceBias: ['moe.router.expert_bias', 'mlp.gate.e_score_correction_bias'],
    shared: {
      modules: ['mlp.shared_experts'],
      inner: config.count('shared_expert_intermediate_size', 512),
    },
  }
  return {
    kvHeads: 4,
    headDim: 128,
    norms: (_layer, name) => {
      const isPublished = has(name('post_attn_norm.weight'))
      return {
        afterMixer: isPublished ? 'post_attn_norm' : 'post_self_attn_layernorm',
        afterMlp: isPublished ? 'post_ffn_norm' : 'post_mlp_layernorm',
      }
    },
    headNorm: HEAD_NORM,
    rope: (layer, sizes) =>
      window === null || types(layer) === 'sliding_attention' ? shared(layer, sizes) : null,
    window: windowsOf(config, types, window),
    experts: (_layer, parts) => describeRoutedExperts(parts, has, routed),
  }
}

function describeFlint(config: ConfigReader, has: Has): Differences {
  const last = config.layers('num_hidden_layers') - 1
  const types = readLayerTypes(config, (layer) => layer >= 2 && layer % 4 !== 1 && layer !== last)
  const isSparse = readFlintLayers(config)
  const shared = rope(config)
  const routed: RoutedExperts = {
    names: QWEN_EXPERTS,
    count: config.count('num_experts', 256),
    perToken: config.count('num_experts_per_tok', 6),
    inner: config.count('moe_intermediate_size', 512),
    routing: {
      scores: 'sigmoid',
      choiceBias: null,
      normalized: config.flag('norm_topk_prob', true) ? { sumEpsilon: 0 } : null,
      scale: 1,
    },
    choiceBias: null,
    shared: { modules: ['mlp.shared_expert'], inner: config.count('shared_expert_intermediate_size', 1024) },
  }
  config.ignore('intermediate_size')
  return {
    kvHeads: 4,
    headDim: 128,
    bias: readAttentionBias(config),
    headNorm: HEAD_NORM,
    sinks: findSinks(has, 'softmax_offset'),
    rope: (layer, sizes) => (types(layer) === 'sliding_attention' ? shared(layer, sizes) : null),
    window: windowsOf(config, types, readWindow(config, 513)),
    experts: (layer, parts) => (isSparse(layer) ? describeRoutedExperts(parts, has, routed) : null),
  }
}

function readFlintLayers(config: ConfigReader): (layer: number) => boolean {
  const step = config.length('decoder_sparse_step', 1)
  const dense: number[] = config.numbers('mlp_only_layers', [0, 1])
  return (layer) => !dense.includes(layer) && (layer + 1) % step === 0
}

function describeMimo(config: ConfigReader, has: Has): Differences {
  const types = readLayerTypes(config, (layer) => layer !== 0 && (layer + 1) % 6 !== 0)
  const slides = (layer: number) => types(layer) === 'sliding_attention'
  const isSparse = readMlpTypes(config) ?? ((layer) => layer > 0)
  const counts = {
    count: config.count('n_routed_experts', 256),
    perToken: config.count('num_experts_per_tok', 8),
  }
  config.ignore('intermediate_size')
  const routed: RoutedExperts = {
    names: QWEN_EXPERTS,
    ...counts,
    inner: config.count('moe_intermediate_size', 2048),
    routing: readGroupedRouting(config, counts, { isNormalized: true, scale: 1 }),
    choiceBias: ['mlp.gate.e_score_correction_bias'],
    shared: null,
  }
  const sinks = findSinks(has, 'attention_sink_bias')
  return {
    kvHeads: 4,
    headDim: 192,
    norm: { epsilon: 1e-5 },
    bias: { qkv: config.flag('attention_bias', false) },
    layerSizes: (layer, sizes) => (slides(layer) ? { ...sizes, kvHeads: 2 * sizes.kvHeads } : sizes),
    value: {
      size: config.count('v_head_dim', 128),
      scale: config.isNull('attention_value_scale')
        ? 1
        : config.number('attention_value_scale', MIMO_VALUE_SCALE),
    },
    sinks: (layer) => (slides(layer) ? sinks(layer) : null),
    rope: readLayerRopes(config, types, {
      full: { theta: 5_000_000, partial: 0.334, unstated: 0.334 },
      sliding: { theta: 10_000, partial: 0.334, unstated: 0.334 },
    }),
    window: windowsOf(config, types, readWindow(config, 129)),
    extras: [/(^|\.)mtp\./],
    experts: (layer, parts) => (isSparse(layer) ? describeRoutedExperts(parts, has, routed) : null),
  }
}

/** The tensor of a layer's sinks: by its published name, or that of transformers 5. */
function findSinks(has: Has, published: string): (layer: number) => string {
  return (layer) =>
    ['model.', ''].some((prefix) => has(`${prefix}layers.${layer}.self_attn.${published}`))
      ? published
      : 'sinks'
}

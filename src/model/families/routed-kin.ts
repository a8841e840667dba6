import type { ConfigReader } from './config-reader.js'
import type { Differences, ExpertParts } from './differences.js'
import type { Family } from './family.js'
import { describeCohere, POST_NORMS } from './family-bases.js'
import {
  allButEvery,
  describeExperts,
  QWEN_EXPERTS,
  readAttentionBias,
  readExpertCount,
  rope,
  softmaxRouting,
} from './family-parts.js'
import { readLayerRopes } from './layer-ropes.js'
import { readLayerTypes, readPattern, readWindow, windowsOf } from './layer-types.js'
import {
  describeRoutedExperts,
  type RoutedExperts,
  readExpertLayers,
  readMlpTypes,
  sigmoidRouting,
} from './router-parts.js'

type Has = (name: string) => boolean

const HEAD_NORM = { span: 'head', query: 'q_norm', key: 'k_norm' } as const

/** Mixtures over ordinary attention that differ from others in the layer as well as in the router. */
export const ROUTED_KIN: Record<string, Family> = {
  afmoe: {
    title: 'Arcee Trinity',
    notes:
      'four norms, a gate on the heads, rotary embedding in layers with a window, experts chosen with a bias',
    fixed: {
      n_group: 1,
      num_expert_groups: 1,
      num_limited_groups: 1,
      route_norm: true,
      score_func: 'sigmoid',
      topk_group: 1,
    },
    describe: describeAfmoe,
  },
  flex_olmo: {
    title: 'FlexOlmo',
    notes: 'as OLMo 2, with experts',
    describe: (config, has) => {
      const settings = {
        names: QWEN_EXPERTS,
        count: readExpertCount(config, 7),
        perToken: config.count('num_experts_per_tok', 5),
        routing: softmaxRouting(config.flag('norm_topk_prob', false)),
        inner: config.count('intermediate_size', 11_008),
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
  mellum: {
    title: 'Mellum 2',
    notes: 'as Qwen 3 MoE, with windows and a second rope for them',
    describe: describeMellum,
  },
  hunyuan_v1_moe: {
    title: 'Hunyuan A13B',
    notes: 'as Hunyuan, with experts and one that every token passes',
    fixed: {
      class_num: 0,
      cla_share_factor: 2,
      moe_layer_num_skipped: 0,
      norm_topk_prob: true,
      norm_type: 'rms',
      pool_type: 'last',
      use_cla: false,
      use_mixed_mlp_moe: true,
      use_qk_norm: true,
      use_rotary_pos_emb: true,
    },
    describe: describeHunyuanMoe,
  },
  aria_text: {
    title: 'Aria',
    notes: 'as Llama, with experts in one stack and one that every token passes',
    fixed: { hidden_act: 'silu' },
    describe: describeAria,
  },
  cohere2_moe: {
    title: 'Command A+',
    notes: 'as Command A, with experts after the first layers',
    fixed: { use_gated_activation: true, use_parallel_block: true },
    describe: describeCohere2Moe,
  },
  laguna: {
    title: 'Laguna XS 2',
    notes: 'number of heads by layer, a gate on them, experts chosen by sigmoids and a bias',
    fixed: { moe_apply_router_weight_on_input: false },
    describe: describeLaguna,
  },
}

function describeAfmoe(config: ConfigReader, has: Has): Differences {
  const period = config.length('global_attn_every_n_layers', 4)
  const types = readLayerTypes(config, allButEvery(period))
  const shared = rope(config)
  const dense = config.number('num_dense_layers', 1)
  const inner = config.count('moe_intermediate_size', 1408)
  config.ignore('intermediate_size', 'load_balance_coeff', 'use_grouped_mm')
  const routed: RoutedExperts = {
    names: { ...QWEN_EXPERTS, router: 'mlp.router.gate', stackRouter: 'mlp.router.gate' },
    count: config.count('num_experts', 64),
    perToken: config.count('num_experts_per_tok', 6),
    inner,
    routing: sigmoidRouting(config.number('route_scale', 1)),
    choiceBias: ['mlp.expert_bias'],
    shared: { modules: ['mlp.shared_experts'], inner: inner * config.count('num_shared_experts', 2) },
  }
  return {
    headDim: 128,
    norm: { epsilon: 1e-5 },
    norms: {
      afterMixer: 'post_attention_layernorm',
      beforeMlp: 'pre_mlp_layernorm',
      afterMlp: 'post_mlp_layernorm',
    },
    embedding: {
      scale: config.flag('mup_enabled', false) ? Math.fround(Math.sqrt(config.count('hidden_size'))) : 1,
    },
    bias: readAttentionBias(config),
    headNorm: HEAD_NORM,
    gate: { module: 'gate_proj', span: 'element', activation: 'sigmoid' },
    rope: (layer, sizes) => (types(layer) === 'sliding_attention' ? shared(layer, sizes) : null),
    window: windowsOf(config, types, readWindow(config, 1024)),
    experts: (layer, parts) => (layer < dense ? null : describeRoutedExperts(parts, has, routed)),
  }
}

function describeMellum(config: ConfigReader, has: Has): Differences {
  const types = readLayerTypes(config, () => false)
  const isSparse = readMlpTypes(config) ?? (() => true)
  const settings = {
    names: QWEN_EXPERTS,
    count: readExpertCount(config, 64),
    perToken: config.count('num_experts_per_tok', 8),
    routing: softmaxRouting(config.flag('norm_topk_prob', true)),
    inner: config.count('moe_intermediate_size', 896),
  }
  config.ignore('intermediate_size', 'num_nextn_predict_layers', 'num_mtp_layers')
  config.ignore('mtp_layer_types', 'mtp_mlp_layer_types')
  return {
    kvHeads: 4,
    headDim: 128,
    bias: readAttentionBias(config),
    headNorm: HEAD_NORM,
    rope: readLayerRopes(config, types, { full: { theta: 500_000 }, sliding: { theta: 10_000 } }),
    window: windowsOf(config, types, readWindow(config, 1024)),
    extras: [/^mtp\./],
    experts: (layer, parts) => (isSparse(layer) ? describeExperts(parts, has, settings) : null),
  }
}

function describeHunyuanMoe(config: ConfigReader, has: Has): Differences {
  const inner = config.count('intermediate_size')
  const perToken = readPerLayer(config, 'moe_topk', 1)
  const count = readSame(config, 'num_experts', 1)
  config.expect('num_experts_per_tok', perToken(0))
  expectSame(config, 'moe_intermediate_size', inner)
  expectSame(config, 'num_shared_expert', 1)
  config.ignore('attention_head_dim', 'dense_list', 'capacity_factor')
  const routed = {
    names: { ...QWEN_EXPERTS, router: 'mlp.gate.wg', stackRouter: 'mlp.gate.wg' },
    count,
    routing: softmaxRouting(true),
    inner,
    choiceBias: null,
    shared: { modules: ['mlp.shared_mlp'], inner },
  }
  return {
    norm: { epsilon: 1e-5 },
    bias: readAttentionBias(config),
    headNorm: { span: 'head', query: 'query_layernorm', key: 'key_layernorm', afterRope: true },
    rope: rope(config, { knowsAlpha: true }),
    experts: (layer, parts) => describeRoutedExperts(parts, has, { ...routed, perToken: perToken(layer) }),
  }
}

/** A count that is the same in all layers, or a list of one for each. */
function readPerLayer(config: ConfigReader, key: string, otherwise: number): (layer: number) => number {
  if (!Array.isArray(config.raw(key))) {
    const count = config.count(key, otherwise)
    return () => count
  }
  const counts = config.numbers(key)
  const layers = config.layers('num_hidden_layers')
  if (counts.length !== layers || !counts.every((count) => Number.isSafeInteger(count) && count > 0)) {
    throw config.refuse(key, `a count, or one for each of ${layers} layers`)
  }
  return (layer) => counts[layer]!
}

/** A count that may be stated for each layer, but must be the same in all. */
function readSame(config: ConfigReader, key: string, otherwise: number): number {
  const countOf = readPerLayer(config, key, otherwise)
  const first = countOf(0)
  for (let layer = 1; layer < config.layers('num_hidden_layers'); layer++) {
    if (countOf(layer) !== first) throw config.refuse(key, 'the same count for all layers')
  }
  return first
}

/** A count that the published code reads, and transformers takes for granted. */
function expectSame(config: ConfigReader, key: string, count: number): void {
  if (readSame(config, key, count) !== count) throw config.refuse(key, `${count} in all layers`)
}

function describeAria(config: ConfigReader, has: Has): Differences {
  const inner = config.count('intermediate_size', 4096)
  const count = config.count('moe_num_experts', 8)
  const perToken = config.count('moe_topk', 2)
  const sharedInner = inner * config.count('moe_num_shared_experts', 2)
  const describe = (parts: ExpertParts) => {
    const { hidden, activation, name, gated } = parts
    const [gateUp, down] = has(name('mlp.experts.gate_up_proj'))
      ? ['gate_up_proj', 'down_proj']
      : ['fc1.weight', 'fc2.weight']
    const linear = (weight: string, inputs: number, outputs: number) => ({
      weight: name(`mlp.${weight}`),
      bias: null,
      inputs,
      outputs,
    })
    const ofStack = (index: number) => ({ transposed: true, stack: { count, index } })
    return {
      router: linear('router.weight', hidden, count),
      count,
      perToken,
      routing: softmaxRouting(true),
      expert: (index: number) => ({
        kind: 'gated in one' as const,
        gateUp: { ...linear(`experts.${gateUp}`, hidden, 2 * inner), ...ofStack(index) },
        activation,
        down: { ...linear(`experts.${down}`, inner, hidden), ...ofStack(index) },
      }),
      shared: { mlp: gated('mlp.shared_experts', sharedInner), gate: null },
    }
  }
  return {
    bias: { ...readAttentionBias(config), mlp: config.flag('mlp_bias', false) },
    rope: rope(config),
    experts: (_layer, parts) => describe(parts),
  }
}

function describeCohere2Moe(config: ConfigReader, has: Has): Differences {
  const first = config.number('first_k_dense_replace', 0)
  const pattern = readPattern(config, 4)
  const densePattern = config.length('prefix_dense_sliding_window_pattern', 1)
  const types = readLayerTypes(config, (layer) =>
    layer < first ? allButEvery(densePattern)(layer) : allButEvery(pattern)(layer - first),
  )
  const isSparse = readExpertLayers(config, { key: 'first_k_dense_replace', otherwise: 0 })
  const shared = rope(config, { interleaved: true, hasOwnTheta: true })
  const { norm, ...cohere } = describeCohere(config)
  const rmsEpsilon = config.positive('rms_norm_eps', null)
  config.ignore('layer_norm_eps')
  const inner = config.count('intermediate_size')
  const denseInner = config.count('prefix_dense_intermediate_size', inner)
  const routed = readCohereExperts(config, inner)
  return {
    ...cohere,
    headDim: 128,
    norm: rmsEpsilon === null ? norm! : { key: 'rms_norm_eps' },
    rope: (layer, sizes) =>
      types(layer) === 'sliding_attention' || (!isSparse(layer) && densePattern === 1)
        ? shared(layer, sizes)
        : null,
    window: windowsOf(config, types, readWindow(config, 4096)),
    mlpSize: denseInner,
    experts: (layer, parts) => (isSparse(layer) ? describeRoutedExperts(parts, has, routed) : null),
  }
}

function readCohereExperts(config: ConfigReader, inner: number): RoutedExperts {
  const scores = config.text('expert_selection_fn', 'softmax')
  const strategy = config.text('shared_expert_combination_strategy', 'average')
  if (scores !== 'softmax' && scores !== 'sigmoid') {
    throw config.refuse('expert_selection_fn', '"softmax" or "sigmoid"')
  }
  if (strategy !== 'average' && strategy !== 'sum') {
    throw config.refuse('shared_expert_combination_strategy', '"average" or "sum"')
  }
  const isNormalized = config.flag('norm_topk_prob', true) || scores === 'softmax'
  const sharedCount = config.number('num_shared_experts', 0)
  const scale = sharedCount > 0 && strategy === 'average' ? 0.5 : 1
  return {
    names: QWEN_EXPERTS,
    count: config.count('num_experts', 8),
    perToken: config.count('num_experts_per_tok', 2),
    inner,
    routing: { scores, choiceBias: null, normalized: isNormalized ? { sumEpsilon: 0 } : null, scale },
    choiceBias: null,
    shared: sharedCount > 0 ? { modules: ['mlp.shared_experts'], inner: inner * sharedCount, scale } : null,
  }
}

function describeLaguna(config: ConfigReader, has: Has): Differences {
  const types = readLayerTypes(config, () => false)
  const isSparse = readMlpTypes(config) ?? ((layer) => layer > 0)
  const heads = readPerLayer(config, 'num_attention_heads_per_layer', config.count('num_attention_heads', 48))
  const gating = config.raw('gating') ?? true
  if (gating !== true && gating !== 'per-head' && gating !== 'per-element') {
    throw config.refuse('gating', 'true, "per-head" or "per-element"')
  }
  const cap = config.number('moe_router_logit_softcapping', 0)
  config.ignore('intermediate_size')
  const routed: RoutedExperts = {
    names: QWEN_EXPERTS,
    count: config.count('num_experts', 256),
    perToken: config.count('num_experts_per_tok', 8),
    inner: config.count('moe_intermediate_size', 512),
    routing: {
      ...sigmoidRouting(config.number('moe_routed_scaling_factor', 1), 0),
      cap: cap > 0 ? cap : null,
    },
    choiceBias: ['mlp.experts.e_score_correction_bias', 'mlp.gate.e_score_correction_bias'],
    shared: {
      modules: ['mlp.shared_expert', 'mlp.shared_experts'],
      inner: config.count('shared_expert_intermediate_size', 512),
    },
  }
  return {
    kvHeads: 8,
    headDim: 128,
    bias: readAttentionBias(config),
    layerSizes: (layer, sizes) => ({ ...sizes, heads: heads(layer) }),
    headNorm: HEAD_NORM,
    gate: {
      module: 'g_proj',
      span: gating === 'per-element' ? 'element' : 'head',
      activation: 'softplus',
    },
    rope: readLayerRopes(config, types, {
      full: { theta: 500_000, partial: 0.5 },
      sliding: { theta: 10_000, partial: 1 },
    }),
    window: windowsOf(config, types, readWindow(config, 512)),
    experts: (layer, parts) => (isSparse(layer) ? describeRoutedExperts(parts, has, routed) : null),
  }
}

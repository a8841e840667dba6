import type { ConfigReader } from './config-reader.js'
import type { Differences } from './differences.js'
import type { Family } from './family.js'
import { allButEvery, MIXTRAL_EXPERTS, QWEN_EXPERTS, readAttentionBias, rope } from './family-parts.js'
import { readLayerTypes, readWindow, windowsOf } from './layer-types.js'
import {
  describeRoutedExperts,
  type RoutedExperts,
  readExpertLayers,
  readExtraLayers,
  readGroupedRouting,
  readMlpTypes,
  sigmoidRouting,
} from './router-parts.js'

type Has = (name: string) => boolean

const HEAD_NORM = { span: 'head', query: 'q_norm', key: 'k_norm' } as const

/** Mixtures over ordinary attention whose router chooses experts by sigmoids, or a softmax, and a bias. */
export const ROUTER_FAMILIES: Record<string, Family> = {
  glm4_moe: {
    title: 'GLM 4.5, 4.5 Air and 4.6',
    notes: 'experts chosen by sigmoids and a bias, and one that every token passes, after the first layers',
    fixed: { moe_layer_freq: 1 },
    describe: (config, has) => ({
      ...describeGlm4Moe(config, has, {
        inner: 1408,
        isNormed: false,
        scale: 1,
        perToken: 8,
        extraLayers: 1,
      }),
      norm: { epsilon: 1e-5 },
      rope: rope(config, { partial: 0.5 }),
    }),
  },
  dots1: {
    title: 'dots.llm1',
    notes: 'as GLM 4.5, norms on the heads of queries and keys',
    fixed: { moe_layer_freq: 1 },
    describe: (config, has) => {
      const window = readWindow(config, 4096)
      const first = config.number('max_window_layers', 62)
      const types = readLayerTypes(config, (layer) => window !== null && layer >= first)
      return {
        kvHeads: 32,
        bias: readAttentionBias(config),
        headNorm: HEAD_NORM,
        rope: rope(config),
        window: windowsOf(config, types, window),
        experts: describeV3Experts(config, has, {
          experts: readCounts(config, { inner: 1408 }),
          isNormalized: false,
          scale: 1,
          firstSparse: 0,
          shared: config.count('n_shared_experts'),
        }),
      }
    },
  },
  solar_open: {
    title: 'Solar Open 100B',
    notes: 'as GLM 4.5, with experts in all layers',
    fixed: { first_k_dense_replace: 0, use_qk_norm: false },
    describe: (config, has) => ({
      kvHeads: 8,
      headDim: 128,
      norm: { epsilon: 1e-5 },
      bias: { qkv: config.flag('attention_bias', false) },
      rope: rope(config, { theta: 1_000_000 }),
      experts: describeV3Experts(config, has, {
        experts: readCounts(config, { count: 128, perToken: 8, inner: 1280 }),
        isNormalized: true,
        scale: 1,
        firstSparse: null,
        shared: config.count('n_shared_experts', 1),
      }),
    }),
  },
  sarvam_moe: {
    title: 'Sarvam 30B',
    notes: 'as GLM 4.5, norms on heads; queries, keys and values from one matrix',
    fixed: {
      moe_router_enable_expert_bias: true,
      norm_head: false,
      router_dtype: 'fp32',
      score_function: 'sigmoid',
      use_bias: false,
      use_rmsnorm: true,
    },
    describe: describeSarvam,
  },
  exaone_moe: {
    title: 'K-EXAONE',
    notes: 'as GLM 4.5; windows in three layers of four, which alone have rotary embedding',
    describe: describeExaoneMoe,
  },
  hy_v3: {
    title: 'Hy3',
    notes: 'as GLM 4.5, norms on the heads of queries and keys',
    fixed: { first_k_dense_replace: 1, qk_norm: true, route_norm: true, moe_router_use_sigmoid: true },
    firstIsDense: true,
    describe: describeHunyuan3,
  },
  minimax_m2: {
    title: 'MiniMax M2',
    notes: 'experts chosen by sigmoids and a bias, norms over all queries and all keys',
    fixed: {
      qk_norm_type: 'per_layer',
      scoring_func: 'sigmoid',
      shared_intermediate_size: 0,
      use_qk_norm: true,
      use_routing_bias: true,
    },
    describe: describeMinimaxM2,
  },
  ernie4_5_moe: {
    title: 'ERNIE 4.5 21B-A3B and 300B-A47B',
    notes: 'as ERNIE 4.5, with experts chosen by a softmax and a bias',
    fixed: { moe_gate: 'topk', moe_use_aux_free: true },
    describe: describeErnieMoe,
  },
}

interface Counts {
  count: number
  perToken: number
  inner: number
}

function readCounts(
  config: ConfigReader,
  usual: { count?: number; perToken?: number; inner: number },
  key = 'n_routed_experts',
): Counts {
  const { count, perToken } = usual
  return {
    count: count === undefined ? config.count(key) : config.count(key, count),
    perToken:
      perToken === undefined
        ? config.count('num_experts_per_tok')
        : config.count('num_experts_per_tok', perToken),
    inner: config.count('moe_intermediate_size', usual.inner),
  }
}

interface Glm4MoeSettings {
  inner: number
  /** Whether queries, keys and values have biases. */
  hasBias?: boolean
  isNormed: boolean
  scale: number
  perToken: number
  extraLayers: number
}

/**
 * @param usual what the family has if the config does not say
 * @param nameKey the key that a config has for one of GLM 4.5
 */
export function describeGlm4Moe(
  config: ConfigReader,
  has: Has,
  usual: Glm4MoeSettings,
  nameKey = (key: string) => key,
): Differences {
  return {
    kvHeads: 8,
    bias: { qkv: config.flag(nameKey('attention_bias'), usual.hasBias ?? false) },
    ...(config.flag('use_qk_norm', usual.isNormed) && { headNorm: HEAD_NORM }),
    extraLayers: readExtraLayers(config, usual.extraLayers),
    experts: describeV3Experts(config, has, {
      experts: readCounts(config, { count: 128, ...usual }, nameKey('n_routed_experts')),
      isNormalized: true,
      scale: usual.scale,
      firstSparse: 1,
      shared: config.count(nameKey('n_shared_experts'), 1),
    }),
  }
}

/** Experts under the names of DeepSeek V3. */
function describeV3Experts(
  config: ConfigReader,
  has: Has,
  settings: {
    experts: Counts
    isNormalized: boolean
    scale: number
    /** First layer that has experts if the config does not say; null if all have, whatever it says. */
    firstSparse: number | null
    /** Number of shared experts, which are one MLP of their width together. */
    shared: number
  },
): NonNullable<Differences['experts']> {
  const { experts, firstSparse, shared } = settings
  const isSparse =
    firstSparse === null
      ? () => true
      : readExpertLayers(config, { key: 'first_k_dense_replace', otherwise: firstSparse })
  config.ignore('intermediate_size')
  const routed: RoutedExperts = {
    names: QWEN_EXPERTS,
    ...experts,
    routing: readGroupedRouting(config, experts, settings),
    choiceBias: ['mlp.gate.e_score_correction_bias', 'mlp.e_score_correction_bias', 'mlp.gate.expert_bias'],
    shared: { modules: ['mlp.shared_experts'], inner: experts.inner * shared },
  }
  return (layer, parts) => (isSparse(layer) ? describeRoutedExperts(parts, has, routed) : null)
}

/** Keys of Sarvam's published config for those of GLM 4.5. */
const SARVAM_KEYS: Record<string, string> = {
  attention_bias: 'use_qkv_bias',
  n_routed_experts: 'num_experts',
  n_shared_experts: 'num_shared_experts',
}

/** Published under names of its own; transformers 5 can save it under those of GLM 4.5. */
function describeSarvam(config: ConfigReader, has: Has): Differences {
  const usual = { inner: 1024, isNormed: true, scale: 2.5, perToken: 6, extraLayers: 0 }
  const common: Differences = {
    ...describeGlm4Moe(config, has, usual, (key) => config.choose(SARVAM_KEYS[key]!, key)),
    kvHeads: 4,
    headDim: 64,
    rope: rope(config, { theta: 8_000_000, partial: 1 }),
  }
  const isPublished = ['model.', ''].some((prefix) => has(`${prefix}word_embeddings.weight`))
  if (!isPublished) return common
  return {
    ...common,
    names: {
      embedding: 'word_embeddings',
      attention: 'attention',
      packed: 'query_key_value',
      output: 'dense',
    },
    layout: 'stacked',
    ...(common.headNorm && {
      headNorm: { span: 'head', query: 'query_layernorm', key: 'key_layernorm' },
    }),
  }
}

function describeExaoneMoe(config: ConfigReader, has: Has): Differences {
  const window = readWindow(config, 4096)
  const pattern = config.raw('sliding_window_pattern') ?? 4
  const types = readLayerTypes(config, (layer) => {
    if (window === null) return false
    if (!Number.isSafeInteger(pattern)) {
      throw config.refuse('sliding_window_pattern', 'a whole number, or layer_types')
    }
    return allButEvery(pattern as number)(layer)
  })
  const shared = rope(config)
  const experts = {
    count: config.count('num_experts', 64),
    perToken: config.count('num_experts_per_tok', 8),
    inner: config.count('moe_intermediate_size', 1024),
  }
  expectExpertLayers(config)
  config.ignore('num_nextn_predict_layers', 'num_mtp_layers')
  return {
    kvHeads: 32,
    norm: { epsilon: 1e-5 },
    headNorm: HEAD_NORM,
    rope: (layer, sizes) =>
      window === null || types(layer) === 'sliding_attention' ? shared(layer, sizes) : null,
    window: windowsOf(config, types, window),
    extras: [/^mtp\./],
    experts: describeV3Experts(config, has, {
      experts,
      isNormalized: true,
      scale: 2.5,
      firstSparse: 1,
      shared: config.count('num_shared_experts', 1),
    }),
  }
}

/** Keys of the first K-EXAONE, which no code reads any more: they must say what the ones that are read do. */
function expectExpertLayers(config: ConfigReader): void {
  const isSparse = readExpertLayers(config, { key: 'first_k_dense_replace', otherwise: 1 })
  const listed = config.raw('is_moe_layer')
  if (Array.isArray(listed) && listed.some((hasExperts, layer) => hasExperts !== isSparse(layer))) {
    throw config.refuse('is_moe_layer', 'the layers that first_k_dense_replace or mlp_layer_types says')
  }
  config.expect('first_last_k_dense_replace', config.raw('first_k_dense_replace') ?? 1)
}

function describeHunyuan3(config: ConfigReader, has: Has): Differences {
  const inner = config.count('moe_intermediate_size', 1536)
  const isSparse = readMlpTypes(config) ?? ((layer) => layer >= 1)
  config.ignore('enable_moe_fp32_combine', 'intermediate_size')
  const routed: RoutedExperts = {
    names: { ...QWEN_EXPERTS, router: 'mlp.router.gate' },
    count: config.count('num_experts', 192),
    perToken: config.count('num_experts_per_tok', 8),
    inner,
    routing: sigmoidRouting(config.number('router_scaling_factor', 2.826)),
    choiceBias: ['mlp.expert_bias', 'mlp.e_score_correction_bias'],
    shared: {
      modules: ['mlp.shared_mlp', 'mlp.shared_experts'],
      inner: inner * config.count('num_shared_experts', 1),
    },
  }
  return {
    kvHeads: 8,
    headDim: 128,
    norm: { epsilon: 1e-5 },
    bias: { ...readAttentionBias(config), mlp: config.flag('mlp_bias', false) },
    headNorm: HEAD_NORM,
    rope: rope(config, { theta: 11_158_840 }),
    extraLayers: readExtraLayers(config),
    experts: (layer, parts) => (isSparse(layer) ? describeRoutedExperts(parts, has, routed) : null),
  }
}

/** Attention is full in all layers of M2; the keys for linear attention are those of its predecessor. */
function describeMinimaxM2(config: ConfigReader, has: Has): Differences {
  const types = config.numbers('attn_type_list', [])
  if (types.some((type) => type !== 1)) throw config.refuse('attn_type_list', 'only 1: full attention')
  for (const part of ['full_attention', 'linear_attention', 'mlp']) {
    config.expect(`layernorm_${part}_beta`, 1)
  }
  config.ignore(
    'shared_moe_mode',
    'mlp_intermediate_size',
    'use_mtp',
    'num_mtp_modules',
    'mtp_transformer_layers',
  )
  const routed: RoutedExperts = {
    names: MIXTRAL_EXPERTS,
    count: config.count('num_local_experts', 256),
    perToken: config.count('num_experts_per_tok', 8),
    inner: config.count('intermediate_size', 1536),
    routing: sigmoidRouting(1, 0),
    choiceBias: ['block_sparse_moe.e_score_correction_bias', 'mlp.e_score_correction_bias'],
    shared: null,
  }
  const headDim = config.count('head_dim', 128)
  const rotated = config.count('rotary_dim', undefined)
  return {
    kvHeads: 8,
    headDim,
    headNorm: { span: 'all heads', query: 'q_norm', key: 'k_norm' },
    rope: rope(config, { theta: 5_000_000, partial: rotated === undefined ? 1 : rotated / headDim }),
    experts: (_layer, parts) => describeRoutedExperts(parts, has, routed),
  }
}

function describeErnieMoe(config: ConfigReader, has: Has): Differences {
  const hasBias = config.flag('use_bias', false)
  const inner = config.count('moe_intermediate_size', 1536)
  const sharedCount = config.number('moe_num_shared_experts', 2)
  const routed: RoutedExperts = {
    names: QWEN_EXPERTS,
    count: config.count('moe_num_experts', 64),
    perToken: config.count('moe_k', 6),
    inner,
    routing: {
      scores: 'softmax',
      choiceBias: null,
      normalized: { sumEpsilon: 0, leastSum: config.number('moe_norm_min', 1e-12) },
      scale: 1,
    },
    choiceBias: ['mlp.moe_statics.e_score_correction_bias', 'mlp.gate.moe_statics.e_score_correction_bias'],
    shared: sharedCount > 0 ? { modules: ['mlp.shared_experts'], inner: inner * sharedCount } : null,
  }
  const isSparse = readErnieLayers(config)
  config.ignore('intermediate_size', 'moe_capacity', 'num_nextn_predict_layers')
  return {
    tied: true,
    kvHeads: 4,
    norm: { epsilon: 1e-5 },
    bias: { qkv: hasBias, output: hasBias, mlp: hasBias },
    head: { bias: hasBias },
    rope: rope(config, { theta: 500_000, interleaved: true }),
    extras: [/(^|\.)mtp_/],
    experts: (layer, parts) => (isSparse(layer) ? describeRoutedExperts(parts, has, routed) : null),
  }
}

function readErnieLayers(config: ConfigReader): (layer: number) => boolean {
  const first = config.number('moe_layer_start_index', 1)
  const stated = config.number('moe_layer_end_index', -1)
  const last = stated === -1 ? config.layers('num_hidden_layers') - 1 : stated
  const interval = config.length('moe_layer_interval', 1)
  return (layer) => (layer + 1) % interval === 0 && layer >= first && layer <= last
}

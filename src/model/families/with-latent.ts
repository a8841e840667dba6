import type { ConfigReader } from './config-reader.js'
import type { Experts } from './description.js'
import type { Differences, ExpertParts } from './differences.js'
import type { Family } from './family.js'
import { QWEN_EXPERTS, softmaxRouting } from './family-parts.js'
import { describeLatent, type LatentForm, readLatentForm, type UsualSizes } from './latent-parts.js'
import {
  describeRoutedExperts,
  type RoutedExperts,
  readExpertLayers,
  readExtraLayers,
  readGroupedRouting,
  readGroups,
} from './router-parts.js'

const MINICPM3 = { scale_depth: 1.4 }

/** Decoders with multi-head latent attention in all layers. */
export const LATENT_FAMILIES: Record<string, Family> = {
  deepseek_v2: {
    title: 'DeepSeek V2, V2 Lite, V2.5 and Coder V2',
    notes: 'latent attention, experts chosen by a softmax and some that every token passes',
    fixed: { scoring_func: 'softmax', moe_layer_freq: 1, norm_topk_prob: false },
    describe: describeDeepseek2,
  },
  deepseek_v3: {
    title: 'DeepSeek V3, V3.1 and R1, Moonlight',
    notes: 'latent attention, experts chosen from groups by sigmoids and a bias',
    fixed: { moe_layer_freq: 1 },
    describe: (config, has) => describeDeepseek3(config, has, DEEPSEEK3),
  },
  kimi_k2: {
    title: 'Kimi K2',
    notes: 'as DeepSeek V3',
    fixed: { moe_layer_freq: 1 },
    describe: (config, has) => describeDeepseek3(config, has, DEEPSEEK3),
  },
  glm4_moe_lite: {
    title: 'GLM 4.7 Flash',
    notes: 'as DeepSeek V3',
    fixed: { moe_layer_freq: 1 },
    firstIsDense: true,
    describe: (config, has) => ({
      ...describeDeepseek3(config, has, {
        experts: { count: 64, perToken: 4, inner: 1536, shared: 1, scale: 1.8 },
        sizes: { own: 192, value: 256, queryLatent: 768 },
        dense: 1,
        extraLayers: 1,
      }),
      norm: { epsilon: 1e-5 },
    }),
  },
  sarvam_mla: {
    title: 'Sarvam 105B',
    notes: 'as DeepSeek V3',
    fixed: { moe_layer_freq: 1 },
    describe: (config, has) => {
      config.ignore('q_head_dim')
      return describeDeepseek3(config, has, {
        experts: { count: 128, perToken: 8, inner: 2048, shared: 1, scale: 2.5 },
        sizes: { queryLatent: null },
        dense: 1,
        extraLayers: 0,
      })
    },
  },
  deepseek_v32: {
    title: 'DeepSeek V3.2',
    notes: 'as DeepSeek V3; sparse attention, for texts of which it sees all',
    fixed: { moe_layer_freq: 1, rope_interleave: true },
    describe: (config, has) => ({
      ...describeDeepseek3(config, has, DEEPSEEK3),
      ...readIndexer(config),
    }),
  },
  glm_moe_dsa: {
    title: 'GLM 5',
    notes: 'as DeepSeek V3; sparse attention, for texts of which it sees all',
    fixed: { moe_layer_freq: 1, rope_interleave: true },
    describe: (config, has) => {
      assertOwnIndexers(config)
      return {
        ...describeDeepseek3(config, has, {
          experts: { count: 256, perToken: 8, inner: 2048, shared: 1, scale: 2.5 },
          sizes: { own: 192, value: 256, queryLatent: 2048 },
          dense: 3,
          extraLayers: 1,
        }),
        ...readIndexer(config),
        norm: { epsilon: 1e-5 },
      }
    },
  },
  axk1: {
    title: 'A.X K1',
    notes: 'as DeepSeek V3, with a norm after the experts',
    describe: describeAxk1,
  },
  youtu: {
    title: 'Youtu LLM 2B',
    notes: 'latent attention',
    describe: (config) => {
      config.ignore('embedding_initializer_range')
      return {
        ...ofLatent(readLatentForm(config, { queryLatent: 1536 }, readInterleaving(config))),
        tied: true,
      }
    },
  },
  minicpm3: {
    title: 'MiniCPM 3 4B',
    notes: 'latent attention; factors on embedding, residual sums and logits that depend on the sizes',
    layerDefaults: MINICPM3,
    describe: describeMinicpm3,
  },
}

type Has = (name: string) => boolean

/** What a family has if the config does not say. */
interface UsualExperts {
  count: number
  perToken: number
  inner: number
  /** Widths of an expert that the expert for every token has. */
  shared: number
}

function ofLatent(form: LatentForm): Differences {
  return { mixer: (_layer, parts) => describeLatent(parts, form) }
}

/** DeepSeek V3's names and keys of experts, chosen as `route` says. */
function readExperts(
  config: ConfigReader,
  has: Has,
  usual: UsualExperts,
  route: (sizes: { count: number; perToken: number }) => Pick<RoutedExperts, 'routing' | 'choiceBias'>,
): (parts: ExpertParts) => Experts {
  const count = config.count(config.choose('n_routed_experts', 'num_experts'), usual.count)
  const perToken = config.count('num_experts_per_tok', usual.perToken)
  const inner = config.count('moe_intermediate_size', usual.inner)
  const experts: RoutedExperts = {
    names: QWEN_EXPERTS,
    count,
    perToken,
    inner,
    ...route({ count, perToken }),
    shared: {
      modules: ['mlp.shared_experts'],
      inner: inner * config.count(config.choose('n_shared_experts', 'num_shared_experts'), usual.shared),
    },
  }
  config.ignore('seq_aux', 'ep_size', 'intermediate_size')
  return (parts) => describeRoutedExperts(parts, has, experts)
}

function describeDeepseek2(config: ConfigReader, has: Has): Differences {
  const method = config.text('topk_method', 'greedy')
  if (method !== 'greedy' && method !== 'group_limited_greedy') {
    throw config.refuse('topk_method', '"greedy" or "group_limited_greedy"')
  }
  if (method === 'greedy') config.ignore('n_group', 'topk_group')
  const usual = { count: 64, perToken: 8, inner: 1407, shared: 2 }
  const experts = readExperts(config, has, usual, (sizes) => ({
    routing: {
      ...softmaxRouting(false),
      groups: method === 'greedy' ? null : readGroups(config, { ...sizes, scoredBy: 1 }),
      scale: config.number('routed_scaling_factor', 1),
    },
    choiceBias: null,
  }))
  const hasExperts = readExpertLayers(config, { key: 'first_k_dense_replace', otherwise: 0 })
  return {
    ...ofLatent(readLatentForm(config, { queryLatent: 1536 }, { interleaved: true })),
    bias: { mlp: config.flag('mlp_bias', false) },
    experts: (layer, parts) => (hasExperts(layer) ? experts(parts) : null),
  }
}

interface UsualDeepseek3 {
  experts: UsualExperts & { scale: number; groups?: { count: number; kept: number } }
  sizes: UsualSizes
  /** Layers without experts, before the others. */
  dense: number
  extraLayers: number
}

const DEEPSEEK3: UsualDeepseek3 = {
  experts: { count: 256, perToken: 8, inner: 2048, shared: 1, scale: 2.5, groups: { count: 8, kept: 4 } },
  sizes: { queryLatent: 1536 },
  dense: 3,
  extraLayers: 1,
}

function describeDeepseek3(config: ConfigReader, has: Has, usual: UsualDeepseek3): Differences {
  const { scale, groups } = usual.experts
  const experts = readExperts(config, has, usual.experts, (sizes) => ({
    routing: readGroupedRouting(config, sizes, { isNormalized: true, scale, groups }),
    choiceBias: ['mlp.gate.e_score_correction_bias'],
  }))
  const hasExperts = readExpertLayers(config, { key: 'first_k_dense_replace', otherwise: usual.dense })
  return {
    ...ofLatent(readLatentForm(config, usual.sizes, readInterleaving(config))),
    experts: (layer, parts) => (hasExperts(layer) ? experts(parts) : null),
    extraLayers: readExtraLayers(config, usual.extraLayers),
  }
}

function readInterleaving(config: ConfigReader): { interleaved: boolean } {
  return { interleaved: config.flag('rope_interleave', true) }
}

/** Sparse attention lets a query see the keys that an indexer finds best: all of them up to that number. */
function readIndexer(config: ConfigReader): Pick<Differences, 'longestDense' | 'extras'> {
  const layers = config.layers('num_hidden_layers')
  const types = config.texts('layer_types', undefined)
  const isSparse = (type: string) => type === 'indexed_attention'
  if (types !== undefined && (types.length !== layers || !types.every(isSparse))) {
    throw config.refuse('layer_types', `indexed_attention for each of ${layers} layers`)
  }
  config.ignore('index_head_dim', 'index_n_heads')
  return { longestDense: config.length('index_topk', 2048), extras: [/\.self_attn\.indexer\./] }
}

/** @throws LayerpruneError if a layer sees the keys that the indexer of another layer finds */
function assertOwnIndexers(config: ConfigReader): void {
  config.expect('index_topk_pattern', null)
  config.expect('index_topk_freq', 1)
  config.ignore('index_skip_topk_offset')
  const types = config.texts('indexer_types', [])
  if (types.some((type) => type !== 'full')) {
    throw config.refuse('indexer_types', 'only full: no layer with the keys that another finds')
  }
}

const AXK1: UsualDeepseek3 = {
  experts: { count: 192, perToken: 8, inner: 2048, shared: 1, scale: 2.5, groups: { count: 8, kept: 4 } },
  sizes: { queryLatent: 1536 },
  dense: 1,
  extraLayers: 0,
}

/** Published checkpoints have no bias to choose by, and norms behind the MLPs of all layers, used behind experts only. */
function describeAxk1(config: ConfigReader, has: Has): Differences {
  const differences = describeDeepseek3(config, has, AXK1)
  const step = config.has('mlp_layer_types') ? 1 : config.length('moe_layer_freq', 1)
  config.ignore('moe_layer_freq')
  const readExpertsOf = differences.experts!
  const listed = readExpertLayers(config, { key: 'first_k_dense_replace', otherwise: AXK1.dense })
  const hasExperts = (layer: number) => listed(layer) && layer % step === 0
  return {
    ...differences,
    norms: (layer, name) => {
      if (!hasExperts(layer)) return {}
      const saved = 'mlp.post_mlp_layernorm'
      return { afterMlp: has(name(`${saved}.weight`)) ? saved : 'post_mlp_layernorm' }
    },
    experts: (layer, parts) =>
      hasExperts(layer) ? withoutMissingBias(readExpertsOf(layer, parts), has) : null,
    extras: [/\.post_mlp_layernorm\.weight$/],
  }
}

function withoutMissingBias(experts: Experts | null, has: Has): Experts | null {
  if (experts === null || experts.routing.scores === 'sparse mixer') return experts
  const { choiceBias } = experts.routing
  if (choiceBias === null || has(choiceBias)) return experts
  return { ...experts, routing: { ...experts.routing, choiceBias: null } }
}

function describeMinicpm3(config: ConfigReader): Differences {
  const layers = config.layers('num_hidden_layers')
  const width = config.count('hidden_size')
  const value = Math.floor(width / config.count('num_attention_heads'))
  const sizes = { own: 64, shared: 32, value, latent: 256, queryLatent: 768 }
  const depth = config.isNull('scale_depth')
    ? Math.sqrt(layers)
    : config.number('scale_depth', MINICPM3.scale_depth)
  const base = config.isNull('dim_model_base') ? width : config.positive('dim_model_base', 256)
  return {
    ...ofLatent(readLatentForm(config, sizes, {})),
    tied: true,
    norm: { epsilon: 1e-5 },
    bias: { mlp: config.flag('mlp_bias', false) },
    embedding: { scale: config.number('scale_emb', 12) },
    residualMultiplier: Math.fround(depth / Math.sqrt(layers)),
    head: { scale: base / width },
  }
}

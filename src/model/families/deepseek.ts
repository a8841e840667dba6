import type { ConfigReader } from './describe/config-reader.js'
import type { Experts } from './describe/description.js'
import type { Differences, ExpertParts } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import { type ExpertCounts, QWEN_EXPERTS, readExpertCounts, softmaxRouting } from './describe/family-parts.js'
import { describeLatentLayers, readLatentForm, type UsualSizes } from './describe/latent-parts.js'
import {
  describeRoutedExperts,
  type RoutedExperts,
  readExpertLayers,
  readExtraLayers,
  readGroupedRouting,
  readGroups,
} from './describe/router-parts.js'

export const DEEPSEEK_FAMILIES: Record<string, Family> = {
  deepseek_v2: {
    title: 'DeepSeek V2, V2 Lite, V2.5 and Coder V2',
    notes: 'latent attention, experts chosen by a softmax, shared experts',
    fixed: { scoring_func: 'softmax', moe_layer_freq: 1, norm_topk_prob: false },
    describe: describeDeepseek2,
  },
  deepseek_v3: {
    title: 'DeepSeek V3, V3.1 and R1, Moonlight',
    notes: 'latent attention, experts chosen from groups by sigmoids and a bias',
    fixed: { moe_layer_freq: 1 },
    describe: (config, has) => describeDeepseek3(config, has, DEEPSEEK3),
  },
  deepseek_v32: {
    title: 'DeepSeek V3.2',
    notes: 'as DeepSeek V3; texts must be short enough for its sparse attention to see all tokens',
    fixed: { moe_layer_freq: 1, rope_interleave: true },
    describe: (config, has) => ({
      ...describeDeepseek3(config, has, DEEPSEEK3),
      ...readIndexer(config),
    }),
  },
}

/** The family's defaults. */
interface UsualExperts extends ExpertCounts {
  /** Number of shared experts, which are stored as one MLP of their total width. */
  shared: number
}

/** Experts under DeepSeek V3's names and keys, with the routing that `route` gives. */
function readExperts(
  config: ConfigReader,
  has: Has,
  usual: UsualExperts,
  route: (sizes: { count: number; topK: number }) => Pick<RoutedExperts, 'routing' | 'correctionBias'>,
): (parts: ExpertParts) => Experts {
  const counts = readExpertCounts(config, usual, config.choose('n_routed_experts', 'num_experts'))
  const experts: RoutedExperts = {
    names: QWEN_EXPERTS,
    ...counts,
    ...route(counts),
    shared: {
      modules: ['mlp.shared_experts'],
      intermediateSize:
        counts.intermediateSize * config.count(config.choose('n_shared_experts', 'num_shared_experts'), usual.shared),
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
  const usual = { count: 64, topK: 8, intermediateSize: 1407, shared: 2 }
  const experts = readExperts(config, has, usual, (sizes) => ({
    routing: {
      ...softmaxRouting(false),
      groups: method === 'greedy' ? null : readGroups(config, { ...sizes, scoredBy: 1 }),
      scale: config.number('routed_scaling_factor', 1),
    },
    correctionBias: null,
  }))
  const hasExperts = readExpertLayers(config, { key: 'first_k_dense_replace', otherwise: 0 })
  return {
    ...describeLatentLayers(readLatentForm(config, { queryLatent: 1536 }, { interleaved: true })),
    bias: { mlp: config.flag('mlp_bias', false) },
    experts: (layer, parts) => (hasExperts(layer) ? experts(parts) : null),
  }
}

export interface UsualDeepseek3 {
  experts: UsualExperts & { scale: number; groups?: { count: number; kept: number } }
  sizes: UsualSizes
  /** Number of leading layers without experts. */
  dense: number
  extraLayers: number
}

export const DEEPSEEK3: UsualDeepseek3 = {
  experts: {
    count: 256,
    topK: 8,
    intermediateSize: 2048,
    shared: 1,
    scale: 2.5,
    groups: { count: 8, kept: 4 },
  },
  sizes: { queryLatent: 1536 },
  dense: 3,
  extraLayers: 1,
}

export function describeDeepseek3(config: ConfigReader, has: Has, usual: UsualDeepseek3): Differences {
  const { scale, groups } = usual.experts
  const experts = readExperts(config, has, usual.experts, (sizes) => ({
    routing: readGroupedRouting(config, sizes, { isNormalized: true, scale, groups }),
    correctionBias: ['mlp.gate.e_score_correction_bias'],
  }))
  const hasExperts = readExpertLayers(config, { key: 'first_k_dense_replace', otherwise: usual.dense })
  return {
    ...describeLatentLayers(readLatentForm(config, usual.sizes, readInterleaving(config))),
    experts: (layer, parts) => (hasExperts(layer) ? experts(parts) : null),
    extraLayers: readExtraLayers(config, usual.extraLayers),
  }
}

export function readInterleaving(config: ConfigReader): { interleaved: boolean } {
  return { interleaved: config.flag('rope_interleave', true) }
}

/** In sparse attention a query sees the `index_topk` keys that an indexer ranks highest: all keys in shorter texts. */
export function readIndexer(config: ConfigReader): Pick<Differences, 'indexTopK' | 'extras'> {
  const layers = config.layers('num_hidden_layers')
  const types = config.texts('layer_types', undefined)
  const isSparse = (type: string) => type === 'indexed_attention'
  if (types !== undefined && (types.length !== layers || !types.every(isSparse))) {
    throw config.refuse('layer_types', `indexed_attention for each of ${layers} layers`)
  }
  config.ignore('index_head_dim', 'index_n_heads')
  return { indexTopK: config.length('index_topk', 2048), extras: [/\.self_attn\.indexer\./] }
}

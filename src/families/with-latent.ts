import type { ConfigReader } from './config-reader.js'
import type { Experts } from './description.js'
import type { Differences, ExpertParts } from './differences.js'
import { QWEN_EXPERTS, softmaxRouting } from './family-parts.js'
import { describeLatent, type LatentForm, readLatentForm } from './latent-parts.js'
import {
  describeRoutedExperts,
  type RoutedExperts,
  readExpertLayers,
  readExtraLayers,
  readGroupedRouting,
  readGroups,
} from './router-parts.js'
import type { Family } from './table.js'

const CHOICE_BIAS = ['mlp.gate.e_score_correction_bias']

/** Decoders with multi-head latent attention in all layers. */
export const LATENT_FAMILIES: Record<string, Family> = {
  deepseek_v2: {
    title: 'DeepSeek V2, V2 Lite, V2.5 and Coder V2',
    notes: 'latent attention, experts chosen by a softmax and some that every token passes',
    fixed: { scoring_func: 'softmax', moe_layer_freq: 1, norm_topk_prob: false },
    describe: describeDeepseek2,
  },
  deepseek_v3: {
    title: 'DeepSeek V3, R1 and V3.1, Moonlight',
    notes:
      'latent attention, experts chosen from groups by sigmoids and a bias; layers for further tokens are left alone',
    fixed: { moe_layer_freq: 1 },
    describe: describeDeepseek3,
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
  const count = config.count('n_routed_experts', usual.count)
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
      inner: inner * config.count('n_shared_experts', usual.shared),
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

function describeDeepseek3(config: ConfigReader, has: Has): Differences {
  const usual = { count: 256, perToken: 8, inner: 2048, shared: 1 }
  const groups = { count: 8, kept: 4 }
  const experts = readExperts(config, has, usual, (sizes) => ({
    routing: readGroupedRouting(config, sizes, { isNormalized: true, scale: 2.5, groups }),
    choiceBias: CHOICE_BIAS,
  }))
  const hasExperts = readExpertLayers(config, { key: 'first_k_dense_replace', otherwise: 3 })
  const interleaved = config.flag('rope_interleave', true)
  return {
    ...ofLatent(readLatentForm(config, { queryLatent: 1536 }, { interleaved })),
    experts: (layer, parts) => (hasExperts(layer) ? experts(parts) : null),
    extraLayers: readExtraLayers(config, 1),
  }
}

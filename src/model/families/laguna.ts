import type { ConfigReader } from './describe/config-reader.js'
import type { Differences } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import { HEAD_NORM, QWEN_EXPERTS, readAttentionBias, readExpertCounts } from './describe/family-parts.js'
import { readLayerRopes } from './describe/layer-ropes.js'
import { readLayerCounts, readLayerTypes, readWindow, windowsOf } from './describe/layer-types.js'
import { describeRoutedExperts, type RoutedExperts, readMlpTypes, sigmoidRouting } from './describe/router-parts.js'

export const LAGUNA_FAMILIES: Record<string, Family> = {
  laguna: {
    title: 'Laguna XS 2',
    notes: 'number of heads by layer, a gate on them, experts chosen by sigmoids and a bias',
    fixed: { moe_apply_router_weight_on_input: false },
    describe: describeLaguna,
  },
}

function describeLaguna(config: ConfigReader, has: Has): Differences {
  const types = readLayerTypes(config, () => false)
  const isSparse = readMlpTypes(config) ?? ((layer) => layer > 0)
  const heads = readLayerCounts(config, 'num_attention_heads_per_layer', config.count('num_attention_heads', 48))
  const gating = config.raw('gating') ?? true
  if (gating !== true && gating !== 'per-head' && gating !== 'per-element') {
    throw config.refuse('gating', 'true, "per-head" or "per-element"')
  }
  const cap = config.number('moe_router_logit_softcapping', 0)
  config.ignore('intermediate_size')
  const routed: RoutedExperts = {
    names: QWEN_EXPERTS,
    ...readExpertCounts(config, { count: 256, topK: 8, intermediateSize: 512 }, 'num_experts'),
    routing: {
      ...sigmoidRouting(config.number('moe_routed_scaling_factor', 1), 0),
      cap: cap > 0 ? cap : null,
    },
    correctionBias: ['mlp.experts.e_score_correction_bias', 'mlp.gate.e_score_correction_bias'],
    shared: {
      modules: ['mlp.shared_expert', 'mlp.shared_experts'],
      intermediateSize: config.count('shared_expert_intermediate_size', 512),
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

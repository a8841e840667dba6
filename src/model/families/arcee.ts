import type { ConfigReader } from './describe/config-reader.js'
import type { Differences } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import {
  allButEvery,
  HEAD_NORM,
  QWEN_EXPERTS,
  readAttentionBias,
  readBiases,
  readExpertCounts,
  rope,
} from './describe/family-parts.js'
import { readLayerTypes, readWindow, windowsOf } from './describe/layer-types.js'
import { describeRoutedExperts, type RoutedExperts, sigmoidRouting } from './describe/router-parts.js'

export const ARCEE_FAMILIES: Record<string, Family> = {
  arcee: {
    title: 'Arcee AFM 4.5B',
    notes: 'plain MLP with squared ReLU',
    describe: (config) => ({
      norm: { epsilon: 1e-5 },
      bias: readBiases(config),
      mlp: 'plain',
      activation: 'relu2',
      rope: rope(config),
    }),
  },
  afmoe: {
    title: 'Arcee Trinity',
    notes: 'four norms, a gate on the heads, rotary embedding in layers with a window, experts chosen with a bias',
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
}

function describeAfmoe(config: ConfigReader, has: Has): Differences {
  const period = config.length('global_attn_every_n_layers', 4)
  const types = readLayerTypes(config, allButEvery(period))
  const shared = rope(config)
  const dense = config.number('num_dense_layers', 1)
  const counts = readExpertCounts(config, { count: 64, topK: 6, intermediateSize: 1408 }, 'num_experts')
  config.ignore('intermediate_size', 'load_balance_coeff', 'use_grouped_mm')
  const routed: RoutedExperts = {
    names: { ...QWEN_EXPERTS, router: 'mlp.router.gate', fusedRouter: 'mlp.router.gate' },
    ...counts,
    routing: sigmoidRouting(config.number('route_scale', 1)),
    correctionBias: ['mlp.expert_bias'],
    shared: {
      modules: ['mlp.shared_experts'],
      intermediateSize: counts.intermediateSize * config.count('num_shared_experts', 2),
    },
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

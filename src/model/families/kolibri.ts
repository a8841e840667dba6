import type { ConfigReader } from './describe/config-reader.js'
import type { Differences } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import { allButEvery, HEAD_NORM, QWEN_EXPERTS, readExpertCounts, rope } from './describe/family-parts.js'
import { readLayerTypes, readWindow, windowsOf } from './describe/layer-types.js'
import { describeRoutedExperts, type RoutedExperts } from './describe/router-parts.js'

export const KOLIBRI_FAMILIES: Record<string, Family> = {
  kolibri1: {
    title: 'Kolibri 1',
    notes: 'four norms, rotary embedding in layers with a window, experts chosen with a bias',
    describe: describeKolibri,
  },
}

function describeKolibri(config: ConfigReader, has: Has): Differences {
  const window = readWindow(config, 513)
  const types = readLayerTypes(config, allButEvery(5))
  const shared = rope(config)
  const routed: RoutedExperts = {
    names: QWEN_EXPERTS,
    ...readExpertCounts(config, { count: 384, topK: 6, intermediateSize: 512 }),
    routing: {
      scores: 'sigmoid',
      correctionBias: null,
      biasesOutputs: true,
      normalized: config.flag('norm_topk_prob', false) ? { sumEpsilon: 0 } : null,
      scale: 1,
    },
    correctionBias: ['moe.router.expert_bias', 'mlp.gate.e_score_correction_bias'],
    shared: {
      modules: ['mlp.shared_experts'],
      intermediateSize: config.count('shared_expert_intermediate_size', 512),
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
    rope: (layer, sizes) => (window === null || types(layer) === 'sliding_attention' ? shared(layer, sizes) : null),
    window: windowsOf(config, types, window),
    experts: (_layer, parts) => describeRoutedExperts(parts, has, routed),
  }
}

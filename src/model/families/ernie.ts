import type { ConfigReader } from './describe/config-reader.js'
import type { Differences } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import { QWEN_EXPERTS, rope } from './describe/family-parts.js'
import { describeRoutedExperts, type RoutedExperts } from './describe/router-parts.js'

export const ERNIE_FAMILIES: Record<string, Family> = {
  ernie4_5: {
    title: 'ERNIE 4.5 (dense)',
    notes: 'interleaved rope',
    describe: (config) => {
      const bias = config.flag('use_bias', false)
      return {
        tied: true,
        kvHeads: 2,
        headDim: 128,
        norm: { epsilon: 1e-5 },
        bias: { qkv: bias, output: bias, mlp: bias },
        rope: rope(config, { theta: 500_000, interleaved: true }),
      }
    },
  },
  ernie4_5_moe: {
    title: 'ERNIE 4.5 21B-A3B and 300B-A47B',
    notes: 'as ERNIE 4.5, with experts chosen by a softmax and a bias',
    fixed: { moe_gate: 'topk', moe_use_aux_free: true },
    describe: describeErnieMoe,
  },
}

function describeErnieMoe(config: ConfigReader, has: Has): Differences {
  const hasBias = config.flag('use_bias', false)
  const intermediateSize = config.count('moe_intermediate_size', 1536)
  const sharedCount = config.number('moe_num_shared_experts', 2)
  const routed: RoutedExperts = {
    names: QWEN_EXPERTS,
    count: config.count('moe_num_experts', 64),
    topK: config.count('moe_k', 6),
    intermediateSize,
    routing: {
      scores: 'softmax',
      correctionBias: null,
      normalized: { sumEpsilon: 0, leastSum: config.number('moe_norm_min', 1e-12) },
      scale: 1,
    },
    correctionBias: ['mlp.moe_statics.e_score_correction_bias', 'mlp.gate.moe_statics.e_score_correction_bias'],
    shared:
      sharedCount > 0 ? { modules: ['mlp.shared_experts'], intermediateSize: intermediateSize * sharedCount } : null,
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

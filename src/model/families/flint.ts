import type { ConfigReader } from './describe/config-reader.js'
import type { Differences } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import {
  findSinks,
  HEAD_NORM,
  QWEN_EXPERTS,
  readAttentionBias,
  readExpertCounts,
  rope,
} from './describe/family-parts.js'
import { readLayerTypes, readWindow, windowsOf } from './describe/layer-types.js'
import { describeRoutedExperts, type RoutedExperts } from './describe/router-parts.js'

export const FLINT_FAMILIES: Record<string, Family> = {
  flint: {
    title: 'Flint',
    notes: 'as Qwen 3 MoE; sinks, rotary embedding in layers with a window, experts chosen by sigmoids',
    describe: describeFlint,
  },
}

function describeFlint(config: ConfigReader, has: Has): Differences {
  const last = config.layers('num_hidden_layers') - 1
  const types = readLayerTypes(config, (layer) => layer >= 2 && layer % 4 !== 1 && layer !== last)
  const isSparse = readFlintLayers(config)
  const shared = rope(config)
  const routed: RoutedExperts = {
    names: QWEN_EXPERTS,
    ...readExpertCounts(config, { count: 256, topK: 6, intermediateSize: 512 }, 'num_experts'),
    routing: {
      scores: 'sigmoid',
      correctionBias: null,
      normalized: config.flag('norm_topk_prob', true) ? { sumEpsilon: 0 } : null,
      scale: 1,
    },
    correctionBias: null,
    shared: {
      modules: ['mlp.shared_expert'],
      intermediateSize: config.count('shared_expert_intermediate_size', 1024),
    },
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

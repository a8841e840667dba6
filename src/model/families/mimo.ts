import type { ConfigReader } from './describe/config-reader.js'
import type { Differences } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import { findSinks, QWEN_EXPERTS, readExpertCounts } from './describe/family-parts.js'
import { readLayerRopes } from './describe/layer-ropes.js'
import { readLayerTypes, readWindow, windowsOf } from './describe/layer-types.js'
import { describeRoutedExperts, type RoutedExperts, readGroupedRouting, readMlpTypes } from './describe/router-parts.js'

/** Nearly, but not exactly, the root of one half. */
const MIMO_VALUE_SCALE = 707 / 1000

export const MIMO_FAMILIES: Record<string, Family> = {
  mimo_v2_flash: {
    title: 'MiMo V2 Flash',
    notes: 'windows with sinks and twice the key heads, values shorter than keys, experts chosen with a bias',
    describe: describeMimo,
  },
}

function describeMimo(config: ConfigReader, has: Has): Differences {
  const types = readLayerTypes(config, (layer) => layer !== 0 && (layer + 1) % 6 !== 0)
  const slides = (layer: number) => types(layer) === 'sliding_attention'
  const isSparse = readMlpTypes(config) ?? ((layer) => layer > 0)
  const counts = readExpertCounts(config, { count: 256, topK: 8, intermediateSize: 2048 }, 'n_routed_experts')
  config.ignore('intermediate_size')
  const routed: RoutedExperts = {
    names: QWEN_EXPERTS,
    ...counts,
    routing: readGroupedRouting(config, counts, { isNormalized: true, scale: 1 }),
    correctionBias: ['mlp.gate.e_score_correction_bias'],
    shared: null,
  }
  const sinks = findSinks(has, 'attention_sink_bias')
  return {
    kvHeads: 4,
    headDim: 192,
    norm: { epsilon: 1e-5 },
    bias: { qkv: config.flag('attention_bias', false) },
    layerSizes: (layer, sizes) => (slides(layer) ? { ...sizes, kvHeads: 2 * sizes.kvHeads } : sizes),
    value: {
      size: config.count('v_head_dim', 128),
      scale: config.isNull('attention_value_scale') ? 1 : config.number('attention_value_scale', MIMO_VALUE_SCALE),
    },
    sinks: (layer) => (slides(layer) ? sinks(layer) : null),
    rope: readLayerRopes(config, types, {
      full: { theta: 5_000_000, partial: 0.334, unstated: 0.334 },
      sliding: { theta: 10_000, partial: 0.334, unstated: 0.334 },
    }),
    window: windowsOf(config, types, readWindow(config, 129)),
    extras: [/(^|\.)mtp\./],
    experts: (layer, parts) => (isSparse(layer) ? describeRoutedExperts(parts, has, routed) : null),
  }
}

import type { ConfigReader } from './describe/config-reader.js'
import type { Differences } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import { findSinks, QWEN_EXPERTS, readExpertCounts, rope } from './describe/family-parts.js'
import { readLayerRopes } from './describe/layer-ropes.js'
import { type LayerType, readLayerTypes, readWindow, windowsOf } from './describe/layer-types.js'
import { describeRoutedExperts, type RoutedExperts, readGroupedRouting, readMlpTypes } from './describe/router-parts.js'

/** Nearly, but not exactly, the root of one half. */
const MIMO_VALUE_SCALE = 707 / 1000

const KEY_HEADS = 4
const HEAD_SIZE = 192
const VALUE_SIZE = 128
/** Part of a head that is rotated, in layers of both kinds. */
const PARTIAL = 0.334
const FULL_THETA = 5_000_000
const SLIDING_THETA = 10_000

/** Xiaomi's lists of 0 and 1, and what transformers calls them. */
const PATTERN = { from: 'hybrid_layer_pattern', to: 'layer_types', words: ['full_attention', 'sliding_attention'] }
const EXPERT_PATTERN = { from: 'moe_layer_freq', to: 'mlp_layer_types', words: ['dense', 'sparse'] }

export const MIMO_FAMILIES: Record<string, Family> = {
  mimo_v2_flash: {
    title: 'MiMo V2 Flash',
    notes: 'windows with sinks and twice the key heads, values shorter than keys, experts chosen with a bias',
    firstIsDense: true,
    ownLists: [PATTERN, EXPERT_PATTERN],
    describe: describeMimo,
  },
}

function describeMimo(config: ConfigReader, has: Has): Differences {
  const pattern = readOwnList(config, PATTERN)
  const types = readLayerTypes(config, (layer) => pattern?.[layer] ?? (layer !== 0 && (layer + 1) % 6 !== 0))
  const slides = (layer: number) => types(layer) === 'sliding_attention'
  const expertPattern = readOwnList(config, EXPERT_PATTERN)
  const isSparse = readMlpTypes(config) ?? ((layer) => expertPattern?.[layer] ?? layer > 0)
  const counts = readExpertCounts(config, { count: 256, topK: 8, intermediateSize: 2048 }, 'n_routed_experts')
  config.ignore('intermediate_size')
  expectOwnSizes(config)
  const routed: RoutedExperts = {
    names: QWEN_EXPERTS,
    ...counts,
    routing: readGroupedRouting(config, counts, { isNormalized: true, scale: 1 }),
    correctionBias: ['mlp.gate.e_score_correction_bias'],
    shared: null,
  }
  const sinks = findSinks(has, 'attention_sink_bias')
  return {
    kvHeads: KEY_HEADS,
    headDim: HEAD_SIZE,
    norm: { key: config.choose('rms_norm_eps', 'layernorm_epsilon'), epsilon: 1e-5 },
    bias: { qkv: config.flag('attention_bias', false) },
    layerSizes: (layer, sizes) => (slides(layer) ? { ...sizes, kvHeads: 2 * sizes.kvHeads } : sizes),
    value: {
      size: config.count('v_head_dim', VALUE_SIZE),
      scale: config.isNull('attention_value_scale') ? 1 : config.number('attention_value_scale', MIMO_VALUE_SCALE),
    },
    sinks: (layer) => (slides(layer) ? sinks(layer) : null),
    rope: pattern === undefined ? readNestedRopes(config, types) : readOwnRopes(config, slides),
    window: windowsOf(config, types, readMimoWindow(config)),
    extras: [/(^|\.)mtp\./],
    experts: (layer, parts) => (isSparse(layer) ? describeRoutedExperts(parts, has, routed) : null),
  }
}

/**
 * Xiaomi's list of 0 and 1 for each layer; undefined if the config has none.
 * @throws LayerpruneError if transformers' list is there too and says something else
 */
function readOwnList(config: ConfigReader, { from, to, words }: typeof PATTERN): boolean[] | undefined {
  const list = config.numbers(from, undefined)
  if (list === undefined) return undefined
  const layers = config.layers('num_hidden_layers')
  if (list.length !== layers || !list.every((entry) => entry === 0 || entry === 1)) {
    throw config.refuse(from, `0 or 1 for each of ${layers} layers`)
  }
  const others = config.texts(to, undefined)
  if (others !== undefined && list.some((entry, layer) => words[entry] !== others[layer])) {
    throw config.refuse(from, `the layers of ${to}`)
  }
  return list.map((entry) => entry === 1)
}

/** Xiaomi states the sizes of layers with windows apart; transformers derives them from the others. */
function expectOwnSizes(config: ConfigReader): void {
  const same = (key: string, usual?: number) => config.expect(`swa_${key}`, config.raw(key) ?? usual)
  same('num_attention_heads')
  same('head_dim', HEAD_SIZE)
  same('v_head_dim', VALUE_SIZE)
  config.expect('swa_num_key_value_heads', 2 * config.count('num_key_value_heads', KEY_HEADS))
  config.expect('add_swa_attention_sink_bias', true)
  config.expect('add_full_attention_sink_bias', false)
  config.expect('hybrid_block_size', null)
  config.expect('n_shared_experts', null)
  // named by the published config, read by no code
  config.ignore('attention_chunk_size')
}

function readNestedRopes(config: ConfigReader, types: (layer: number) => LayerType) {
  return readLayerRopes(config, types, {
    full: { theta: FULL_THETA, partial: PARTIAL, unstated: PARTIAL },
    sliding: { theta: SLIDING_THETA, partial: PARTIAL, unstated: PARTIAL },
  })
}

/**
 * Ropes by `rope_theta`, `swa_rope_theta` and `partial_rotary_factor`. A config that transformers saved again has
 * `rope_parameters` too.
 */
function readOwnRopes(config: ConfigReader, slides: (layer: number) => boolean): Differences['rope'] {
  config.expect('rope_scaling', null)
  const others = ['full_attention', 'sliding_attention']
  const full = rope(config, { theta: FULL_THETA, partial: PARTIAL, others })
  const keys = { theta: 'swa_rope_theta' }
  const sliding = rope(config, { theta: SLIDING_THETA, partial: PARTIAL, keys, others })
  const nested = config.object('rope_parameters')
  if (nested !== undefined) {
    const partial = config.positive('partial_rotary_factor', PARTIAL)
    const expectSame = (kind: string, theta: number) => {
      const stated = nested.object(kind)
      stated?.expect('rope_type', 'default')
      stated?.expect('rope_theta', theta)
      stated?.expect('partial_rotary_factor', partial)
    }
    expectSame('full_attention', config.positive('rope_theta', FULL_THETA))
    expectSame('sliding_attention', config.positive('swa_rope_theta', SLIDING_THETA))
  }
  return (layer, sizes) => (slides(layer) ? sliding : full)(layer, sizes)
}

/** Tokens seen, the token itself included; `sliding_window_size` counts those before it, as in transformers 5.24. */
function readMimoWindow(config: ConfigReader): number | null {
  const before = config.length('sliding_window_size', undefined)
  if (before === undefined) return readWindow(config, 129)
  const stated = config.raw('sliding_window')
  if (stated !== before) config.expect('sliding_window', before + 1)
  return before + 1
}

import type { ConfigReader } from './describe/config-reader.js'
import type { TemperatureScaling } from './describe/description.js'
import type { Differences } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import { FEED_FORWARD_EXPERTS, readAttentionBias, readBiases, rope } from './describe/family-parts.js'
import { readLayerTypes, readWindow, windowsOf } from './describe/layer-types.js'
import { describeRoutedExperts, type RoutedExperts } from './describe/router-parts.js'

const LLAMA4 = { no_rope_layer_interval: 4 }

export const LLAMA_FAMILIES: Record<string, Family> = {
  llama: {
    title: 'Llama 1 to 3.3, SmolLM 1 and 2, TinyLlama, Yi, DeepSeek LLM',
    notes: 'RMS norms, rotary embedding of any type, gated MLP',
    fixed: { activation: 'swiglu', is_llama_config: true, rope_interleaved: false },
    describe: (config) => ({
      bias: readBiases(config),
      rope: rope(config),
    }),
  },
  cwm: {
    title: 'Code World Model 32B',
    notes: 'a window in three layers of four',
    describe: (config) => {
      const types = readLayerTypes(config, (layer) => layer % 4 !== 0)
      return {
        norm: { epsilon: 1e-5 },
        kvHeads: 8,
        headDim: 128,
        bias: { mlp: config.flag('mlp_bias', false) },
        rope: rope(config, { theta: 1_000_000, usual: CWM_ROPE }),
        window: windowsOf(config, types, readWindow(config, 8192)),
      }
    },
  },
  llama4_text: {
    title: 'Llama 4 Scout and Maverick',
    notes: 'attention in chunks in three layers of four, and rotary embedding only there; experts',
    fixed: { for_llm_compressor: false },
    layerDefaults: LLAMA4,
    describe: describeLlama4,
  },
}

const CWM_ROPE = {
  rope_type: 'llama3',
  rope_theta: 1_000_000,
  factor: 16,
  high_freq_factor: 4,
  low_freq_factor: 1,
  original_max_position_embeddings: 8192,
}

function describeLlama4(config: ConfigReader, has: Has): Differences {
  const rotates = readRotatedLayers(config)
  const hasExperts = readExpertLayers(config)
  const isNormed = config.flag('use_qk_norm', true)
  const temperature = readTemperature(config)
  const intermediateSize = config.count('intermediate_size', 8192)
  const routed: RoutedExperts = {
    names: FEED_FORWARD_EXPERTS,
    count: config.count('num_local_experts', 16),
    topK: config.count('num_experts_per_tok', 1),
    intermediateSize,
    routing: { scores: 'sigmoid', correctionBias: null, normalized: null, scale: 1, weighsInputs: true },
    correctionBias: null,
    shared: { modules: ['feed_forward.shared_expert'], intermediateSize },
    transposed: true,
  }
  const shared = rope(config, { theta: 500_000, interleaved: true })
  return {
    kvHeads: 8,
    headDim: 128,
    names: { mlp: 'feed_forward' },
    norm: { epsilon: 1e-5 },
    bias: readAttentionBias(config),
    headNorm: (layer) =>
      isNormed && rotates(layer)
        ? { span: 'head', query: 'qk_norm', key: 'qk_norm', weight: false, afterRope: true }
        : null,
    rope: (layer, sizes) => (rotates(layer) ? shared(layer, sizes) : null),
    temperatureScaling: (layer) => (rotates(layer) ? null : temperature),
    chunk: readChunks(config, rotates),
    mlpSize: config.count('intermediate_size_mlp', 16_384),
    experts: (layer, parts) => (hasExperts(layer) ? describeRoutedExperts(parts, has, routed) : null),
  }
}

/** `no_rope_layers` has a 1 for each layer with rotary embedding. */
function readRotatedLayers(config: ConfigReader): (layer: number) => boolean {
  const interval = config.length('no_rope_layer_interval', LLAMA4.no_rope_layer_interval)
  const stated = config.numbers('no_rope_layers', [])
  if (stated.length === 0) return (layer) => (layer + 1) % interval !== 0
  if (stated.length !== config.layers('num_hidden_layers')) {
    throw config.refuse('no_rope_layers', 'a 0 or 1 for each layer (num_hidden_layers)')
  }
  return (layer) => stated[layer] !== 0
}

function readExpertLayers(config: ConfigReader): (layer: number) => boolean {
  const step = config.length('interleave_moe_layer_step', 1)
  const listed: number[] | null = config.numbers('moe_layers', null)
  return listed === null ? (layer) => (layer + 1) % step === 0 : (layer) => listed.includes(layer)
}

/** Temperature scaling in layers without rotary embedding. The first configs state the switch as a number. */
function readTemperature(config: ConfigReader): TemperatureScaling {
  const tuned = config.raw('attn_temperature_tuning') ?? true
  if (typeof tuned !== 'boolean' && typeof tuned !== 'number') {
    throw config.refuse('attn_temperature_tuning', 'true or false')
  }
  const rate = config.number('attn_scale', 0.1)
  return { rate: tuned ? rate : 0, period: config.length('floor_scale', 8192), offset: 1 }
}

/** Size of each layer's attention chunks; null for full attention. */
function readChunks(config: ConfigReader, rotates: (layer: number) => boolean): (layer: number) => number | null {
  const size = config.isNull('attention_chunk_size') ? null : config.length('attention_chunk_size', 8192)
  const types = config.texts('layer_types', undefined)
  if (types === undefined) return (layer) => (rotates(layer) ? size : null)
  const layers = config.layers('num_hidden_layers')
  if (types.length !== layers) {
    throw config.contradicts(`has ${types.length} layer_types for ${layers} layers (num_hidden_layers)`)
  }
  if (types.some((type) => type !== 'full_attention' && type !== 'chunked_attention')) {
    throw config.refuse('layer_types', 'only full_attention and chunked_attention')
  }
  return (layer) => {
    if (types[layer] === 'full_attention') return null
    if (size === null) throw config.refuse('layer_types', 'no chunked_attention without an attention_chunk_size')
    return size
  }
}

import type { ConfigReader } from './config-reader.js'
import type { Differences } from './differences.js'
import type { Family } from './family.js'
import { describeGlm, GLM4_NORMS } from './family-bases.js'
import { readAttentionBias, readMultipliers, readQwenWindows, rope } from './family-parts.js'
import { readLayerTypes, readWindow, windowsOf } from './layer-types.js'

const SMOLLM3 = { no_rope_layer_interval: 4 }

/** Decoders with the layer of Llama. */
export const LLAMA_FAMILIES: Record<string, Family> = {
  llama: {
    title: 'Llama 1 to 3.3, SmolLM 1 and 2, TinyLlama, Yi, DeepSeek LLM',
    notes: 'RMS norms, rotary embedding of any type, gated MLP',
    fixed: { activation: 'swiglu', is_llama_config: true, rope_interleaved: false },
    describe: (config) => ({
      bias: { ...readAttentionBias(config), mlp: config.flag('mlp_bias', false) },
      rope: rope(config),
    }),
  },
  mistral: {
    title: 'Mistral 7B to Large, Ministral 8B, Zephyr',
    notes: 'a sliding window in all layers, or those that layer_types names',
    describe: describeMistral,
  },
  ministral: {
    title: 'Ministral',
    notes: 'as Mistral, with a window in some layers',
    describe: describeMistral,
  },
  qwen2: {
    title: 'Qwen 1.5, 2 and 2.5, DeepSeek R1 Distill Qwen',
    notes: 'biases on queries, keys and values; windows in the upper layers',
    windowOffByDefault: true,
    describe: (config) => ({
      bias: { qkv: true },
      rope: rope(config),
      window: readQwenWindows(config, (layer, first) => layer >= first),
    }),
  },
  qwen3: {
    title: 'Qwen 3',
    notes: 'norms on the heads of queries and keys',
    windowOffByDefault: true,
    describe: (config) => ({
      bias: readAttentionBias(config),
      headDim: 128,
      headNorm: { span: 'head', query: 'q_norm', key: 'k_norm' },
      rope: rope(config),
      window: readQwenWindows(config, (layer, first) => layer >= first),
    }),
  },
  smollm3: {
    title: 'SmolLM 3',
    notes: 'layers without rotary embedding',
    windowOffByDefault: true,
    layerDefaults: SMOLLM3,
    describe: (config) => {
      const interval = config.length('no_rope_layer_interval', SMOLLM3.no_rope_layer_interval)
      const layers = config.layers('num_hidden_layers')
      const usesRope = config.numbers(
        'no_rope_layers',
        Array.from({ length: layers }, (_, layer) => Number((layer + 1) % interval !== 0)),
      )
      if (usesRope.length !== layers)
        throw config.refuse('no_rope_layers', `${layers} numbers, one per layer`)
      const shared = rope(config, { theta: 2_000_000 })
      const window = config.flag('use_sliding_window', false) ? readWindow(config, null) : null
      config.ignore('sliding_window')
      const types = readLayerTypes(config, (layer) => window !== null && !usesRope[layer])
      return {
        tied: true,
        kvHeads: 4,
        bias: { ...readAttentionBias(config), mlp: config.flag('mlp_bias', false) },
        rope: (layer, sizes) => (usesRope[layer] ? shared(layer, sizes) : null),
        window: windowsOf(config, types, window),
      }
    },
  },
  granite: {
    title: 'Granite 3 and 4.1 (dense)',
    notes: 'factors on embedding, scores, residual sums and logits',
    describe: (config) => ({
      ...readMultipliers(config),
      bias: { ...readAttentionBias(config), mlp: config.flag('mlp_bias', false) },
      rope: rope(config),
    }),
  },
  phi3: {
    title: 'Phi 3, 3.5 and 4',
    notes: 'queries, keys and values in one matrix, gate and up in another; LongRoPE',
    fixed: { attention_bias: false, full_attn_mod: 1, interpolate_factor: 1 },
    describe: (config) => {
      const window = readWindow(config, null)
      return {
        norm: { epsilon: 1e-5 },
        layout: 'stacked',
        mlp: 'gated in one',
        rope: rope(config, { partial: 1, yarnIsLongrope: true, originalPositions: 4096 }),
        window: () => window,
      }
    },
  },
  arcee: {
    title: 'Arcee AFM 4.5B',
    notes: 'plain MLP with squared ReLU',
    describe: (config) => ({
      norm: { epsilon: 1e-5 },
      bias: { ...readAttentionBias(config), mlp: config.flag('mlp_bias', false) },
      mlp: 'plain',
      activation: 'relu2',
      rope: rope(config),
    }),
  },
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
  glm: {
    title: 'GLM 4 9B, GLM Edge',
    notes: 'gate and up in one matrix, half of each head rotated, interleaved',
    describe: describeGlm,
  },
  glm4: {
    title: 'GLM 4 0414, GLM Z1',
    notes: 'as GLM with norms before and after attention and MLP',
    describe: (config) => ({ ...describeGlm(config), norms: GLM4_NORMS }),
  },
  helium: {
    title: 'Helium 1',
    notes: 'interleaved rope',
    describe: (config) => ({
      headDim: 128,
      norm: { epsilon: 1e-8 },
      bias: { qkv: config.flag('attention_bias', false), mlp: config.flag('mlp_bias', false) },
      rope: rope(config, { theta: 100_000, interleaved: true }),
    }),
  },
  hunyuan_v1_dense: {
    title: 'Hunyuan 0.5B to 7B (dense)',
    notes: 'norms on heads after the rotation',
    fixed: {
      norm_type: 'rms',
      use_qk_norm: true,
      use_rotary_pos_emb: true,
      cla_share_factor: 2,
      use_cla: false,
      class_num: 0,
      pool_type: 'last',
    },
    describe: (config) => {
      config.ignore('attention_head_dim', 'dense_list')
      return {
        norm: { epsilon: 1e-5 },
        bias: readAttentionBias(config),
        headNorm: { span: 'head', query: 'query_layernorm', key: 'key_layernorm', afterRope: true },
        rope: rope(config, { knowsAlpha: true }),
      }
    },
  },
  seed_oss: {
    title: 'Seed OSS',
    notes: 'biases on queries, keys and values',
    describe: (config) => ({
      kvHeads: 8,
      headDim: 128,
      bias: {
        qkv: config.flag('attention_bias', true),
        output: config.flag('attention_out_bias', false),
        mlp: config.flag('mlp_bias', false),
      },
      rope: rope(config),
    }),
  },
}

/** transformers reads a `mistral` that has layer_types as `ministral`. */
function describeMistral(config: ConfigReader): Differences {
  const window = readWindow(config, 4096)
  const types = readLayerTypes(config, () => window !== null)
  return { kvHeads: 8, rope: rope(config), window: windowsOf(config, types, window) }
}

import type { ConfigReader } from './describe/config-reader.js'
import type { Differences } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import { allButEvery, HEAD_NORM, readBiases, readExpertCounts, rope } from './describe/family-parts.js'
import { readLayerTypes, readWindow, windowsOf } from './describe/layer-types.js'
import { describeV3Experts, readExpertLayers } from './describe/router-parts.js'
import { POST_NORMS } from './olmo.js'

export const EXAONE_FAMILIES: Record<string, Family> = {
  exaone: {
    title: 'EXAONE 3 and 3.5',
    notes: "Llama under GPT's names",
    prefix: 'transformer.',
    moduleNames: { c_fc_0: 'gate_proj', c_fc_1: 'up_proj', c_proj: 'down_proj' },
    describe: (config) => ({
      kvHeads: 8,
      names: {
        layers: 'h',
        embedding: 'wte',
        finalNorm: 'ln_f',
        attention: 'attn.attention',
        output: 'out_proj',
        gate: 'c_fc_0',
        up: 'c_fc_1',
        down: 'c_proj',
      },
      keys: { layers: 'num_layers', activation: config.choose('activation_function', 'hidden_act') },
      norm: { key: config.choose('layer_norm_epsilon', 'rms_norm_eps'), epsilon: 1e-5 },
      norms: { beforeMixer: 'ln_1', beforeMlp: 'ln_2' },
      bias: readBiases(config),
      rope: rope(config, { theta: 500_000 }),
    }),
  },
  exaone4: {
    title: 'EXAONE 4',
    notes: 'as OLMo 2 with norms on heads; rotary embedding in the layers with a window',
    describe: (config) => ({ ...POST_NORMS, ...describeExaoneAttention(config) }),
  },
  exaone_moe: {
    title: 'K-EXAONE',
    notes: 'as GLM 4.5; windows in three layers of four, and rotary embedding only there',
    describe: describeExaoneMoe,
  },
}

/** Windows in three layers of four; if the model has windows, only these layers have rotary embedding. */
function describeExaoneAttention(config: ConfigReader): Differences {
  const window = readWindow(config, 4096)
  const pattern = config.raw('sliding_window_pattern') ?? 4
  const types = readLayerTypes(config, (layer) => {
    if (window === null) return false
    if (!Number.isSafeInteger(pattern)) {
      throw config.refuse('sliding_window_pattern', 'a whole number, or layer_types')
    }
    return allButEvery(pattern as number)(layer)
  })
  const shared = rope(config)
  return {
    kvHeads: 32,
    headNorm: HEAD_NORM,
    rope: (layer, sizes) => (window === null || types(layer) === 'sliding_attention' ? shared(layer, sizes) : null),
    window: windowsOf(config, types, window),
  }
}

function describeExaoneMoe(config: ConfigReader, has: Has): Differences {
  const attention = describeExaoneAttention(config)
  const experts = readExpertCounts(config, { count: 64, topK: 8, intermediateSize: 1024 }, 'num_experts')
  expectExpertLayers(config)
  config.ignore('num_nextn_predict_layers', 'num_mtp_layers')
  return {
    ...attention,
    norm: { epsilon: 1e-5 },
    extras: [/^mtp\./],
    experts: describeV3Experts(config, has, {
      experts,
      isNormalized: true,
      scale: 2.5,
      firstSparse: 1,
      shared: config.count('num_shared_experts', 1),
    }),
  }
}

/** Keys of the first K-EXAONE, which no code reads any more; they must agree with the keys that are read. */
function expectExpertLayers(config: ConfigReader): void {
  const isSparse = readExpertLayers(config, { key: 'first_k_dense_replace', otherwise: 1 })
  const listed = config.raw('is_moe_layer')
  if (Array.isArray(listed) && listed.some((hasExperts, layer) => hasExperts !== isSparse(layer))) {
    throw config.refuse('is_moe_layer', 'the layers that first_k_dense_replace or mlp_layer_types says')
  }
  config.expect('first_last_k_dense_replace', config.raw('first_k_dense_replace') ?? 1)
}

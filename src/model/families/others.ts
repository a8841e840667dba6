import { readInterleaving } from './deepseek.js'
import type { ConfigReader } from './describe/config-reader.js'
import type { Differences } from './describe/differences.js'
import { type Family, type Has, keepsNumbers } from './describe/family.js'
import {
  ALL_BIASES,
  describeExperts,
  HEAD_NORM,
  QWEN_EXPERTS,
  readAttentionBias,
  readBiases,
  readExpertCounts,
  rope,
  softmaxRouting,
} from './describe/family-parts.js'
import { describeLatentLayers, readLatentForm } from './describe/latent-parts.js'
import { readLayerRopes } from './describe/layer-ropes.js'
import { readLayerTypes, readWindow, windowsOf } from './describe/layer-types.js'
import { describeV3Experts, readMlpTypes } from './describe/router-parts.js'

const SMOLLM3 = { no_rope_layer_interval: 4 }

/** Lineages of one short entry. */
export const OTHERS_FAMILIES: Record<string, Family> = {
  bitnet: {
    title: 'BitNet whose weights are not quantised',
    notes: 'norms before the last products of attention and MLP, squared ReLU',
    describe: (config) => ({
      norm: { epsilon: 1e-5 },
      kvHeads: 5,
      bias: readAttentionBias(config),
      activation: 'relu2',
      innerNorms: { attention: 'attn_sub_norm', mlp: 'ffn_sub_norm' },
      rope: rope(config, { theta: 500_000 }),
    }),
  },
  diffllama: {
    title: 'DiffLlama',
    notes: 'differential attention: half of the heads is subtracted from the other half',
    cutLimit: (cut) => (keepsNumbers(cut) ? undefined : 'attention of diffllama depends on the number of the layer'),
    describe: (config) => {
      const kvHeads = config.count('num_key_value_heads', config.count('num_attention_heads'))
      if (kvHeads % 2 !== 0) throw config.refuse('num_key_value_heads', 'an even number')
      config.ignore('lambda_std_dev')
      return {
        norm: { epsilon: 1e-5 },
        bias: readAttentionBias(config),
        differential: (layer) => 0.8 - 0.6 * Math.exp(-0.3 * layer),
        rope: rope(config),
      }
    },
  },
  dots1: {
    title: 'dots.llm1',
    notes: 'as GLM 4.5, norms on the heads of queries and keys',
    fixed: { moe_layer_freq: 1 },
    describe: (config, has) => {
      const window = readWindow(config, 4096)
      const first = config.number('max_window_layers', 62)
      const types = readLayerTypes(config, (layer) => window !== null && layer >= first)
      return {
        kvHeads: 32,
        bias: readAttentionBias(config),
        headNorm: HEAD_NORM,
        rope: rope(config),
        window: windowsOf(config, types, window),
        experts: describeV3Experts(config, has, {
          experts: readExpertCounts(config, { intermediateSize: 1408 }, 'n_routed_experts'),
          isNormalized: false,
          scale: 1,
          firstSparse: 0,
          shared: config.count('n_shared_experts'),
        }),
      }
    },
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
  hyperclovax: {
    title: 'HyperCLOVA X SEED Think 14B',
    notes: 'as Granite, with norms before and after attention and MLP',
    describe: (config) => {
      const attention = config.number('attention_multiplier', null)
      const scaling = config.number('logits_scaling', 1)
      return {
        embedding: { scale: config.number('embedding_multiplier', 1) },
        residualMultiplier: config.number('residual_multiplier', 1),
        head: { scale: scaling },
        scale: (_layer, { headDim }) => attention ?? headDim ** -0.5,
        norms: config.flag('use_post_norm', true) ? { afterMixer: 'post_norm1', afterMlp: 'post_norm2' } : {},
        bias: readBiases(config),
        rope: rope(config),
      }
    },
  },
  iquestcoder: {
    title: 'IQuest Coder',
    notes: 'as Llama',
    describe: (config) => ({
      norm: { epsilon: 1e-5 },
      kvHeads: 8,
      headDim: 128,
      bias: readBiases(config),
      rope: rope(config),
    }),
  },
  jais2: {
    title: 'Jais 2',
    notes: 'layer norms, biases everywhere, plain MLP with squared ReLU',
    describe: (config) => {
      const bias = config.flag('attention_bias', true)
      return {
        norm: { kind: 'layer' },
        bias: { qkv: bias, output: bias, mlp: config.flag('mlp_bias', true) },
        mlp: 'plain',
        activation: 'relu2',
        rope: rope(config),
      }
    },
  },
  mellum: {
    title: 'Mellum 2',
    notes: 'as Qwen 3 MoE, with windows and a second rope for them',
    describe: describeMellum,
  },
  nanochat: {
    title: 'nanochat',
    notes:
      'norms with nothing learnt, also of the embedding and of heads after the rotation; plain MLP with squared ReLU',
    describe: describeNanochat,
  },
  persimmon: {
    title: 'Persimmon 8B',
    notes: 'as GPT-NeoX, attention and MLP in sequence; layer norms on heads, squared ReLU',
    describe: (config) => ({
      names: {
        finalNorm: 'final_layernorm',
        packed: 'query_key_value',
        output: 'dense',
        up: 'dense_h_to_4h',
        down: 'dense_4h_to_h',
      },
      keys: { kvHeads: null },
      norm: { kind: 'layer' },
      headNorm: config.flag('qk_layernorm', true)
        ? { span: 'head', query: 'q_layernorm', key: 'k_layernorm', bias: true }
        : undefined,
      bias: ALL_BIASES,
      layout: 'qkv per group',
      mlp: 'plain',
      activation: 'relu2',
      rope: rope(config, { partial: 0.5 }),
    }),
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
      if (usesRope.length !== layers) throw config.refuse('no_rope_layers', `${layers} numbers, one per layer`)
      const shared = rope(config, { theta: 2_000_000 })
      const window = config.flag('use_sliding_window', false) ? readWindow(config, null) : null
      config.ignore('sliding_window')
      const types = readLayerTypes(config, (layer) => window !== null && !usesRope[layer])
      return {
        tied: true,
        kvHeads: 4,
        bias: readBiases(config),
        rope: (layer, sizes) => (usesRope[layer] ? shared(layer, sizes) : null),
        window: windowsOf(config, types, window),
      }
    },
  },
  solar_open: {
    title: 'Solar Open 100B',
    notes: 'as GLM 4.5, with experts in all layers',
    fixed: { first_k_dense_replace: 0, use_qk_norm: false },
    describe: (config, has) => ({
      kvHeads: 8,
      headDim: 128,
      norm: { epsilon: 1e-5 },
      bias: { qkv: config.flag('attention_bias', false) },
      rope: rope(config, { theta: 1_000_000 }),
      experts: describeV3Experts(config, has, {
        experts: readExpertCounts(config, { count: 128, topK: 8, intermediateSize: 1280 }, 'n_routed_experts'),
        isNormalized: true,
        scale: 1,
        firstSparse: null,
        shared: config.count('n_shared_experts', 1),
      }),
    }),
  },
  stablelm: {
    title: 'StableLM 2, Zephyr 1.6B and 3B',
    notes: 'layer norms, part of each head rotated, parallel layers in some',
    describe: (config) => {
      const parallel = config.flag('use_parallel_residual', false)
      return {
        kvHeads: 32,
        norm: { kind: 'layer' },
        norms: parallel ? { beforeMlp: null } : {},
        parallel,
        bias: { qkv: config.flag('use_qkv_bias', false) },
        headNorm: config.flag('qk_layernorm', false)
          ? { span: 'each head', query: 'q_layernorm.norms.{head}', key: 'k_layernorm.norms.{head}' }
          : undefined,
        rope: rope(config, { partial: 0.25 }),
      }
    },
  },
  starcoder2: {
    title: 'StarCoder 2',
    notes: 'layer norms, plain MLP, biases everywhere',
    fixed: { mlp_type: 'default', norm_type: 'layer_norm', scale_attn_weights: true },
    describe: (config) => {
      const bias = config.flag('use_bias', true)
      const window = readWindow(config, null)
      config.ignore('activation_function', 'rms_norm_eps')
      return {
        tied: true,
        kvHeads: 2,
        norm: { kind: 'layer', key: 'norm_epsilon' },
        bias: { qkv: bias, output: bias, mlp: bias },
        mlp: 'plain',
        names: { up: 'c_fc', down: 'c_proj' },
        activation: 'gelu_pytorch_tanh',
        rope: rope(config),
        window: () => window,
      }
    },
  },
  youtu: {
    title: 'Youtu LLM 2B',
    notes: 'latent attention',
    describe: (config) => {
      config.ignore('embedding_initializer_range')
      return {
        ...describeLatentLayers(readLatentForm(config, { queryLatent: 1536 }, readInterleaving(config))),
        tied: true,
      }
    },
  },
}

function describeNanochat(config: ConfigReader): Differences {
  const softcap = config.isNull('final_logit_softcapping') ? null : config.positive('final_logit_softcapping', 15)
  const usual = rope(config)
  return {
    activation: 'relu2',
    names: { up: 'fc1', down: 'fc2' },
    norm: { weight: false },
    mlp: 'plain',
    embedding: { norm: 'norm' },
    headNorm: { span: 'head', query: 'q_norm', key: 'k_norm', afterRope: true },
    bias: readAttentionBias(config),
    head: { softcap },
    rope: (layer, sizes) => {
      const known = usual(layer, sizes)
      const { frequencies } = known
      if (frequencies.kind !== 'fixed') {
        throw config.refuse('rope_parameters', 'a rope_type whose frequencies do not depend on the text')
      }
      const perPair = frequencies.perPair.map((frequency) => -frequency)
      return { ...known, frequencies: { kind: 'fixed', perPair } }
    },
  }
}

function describeMellum(config: ConfigReader, has: Has): Differences {
  const types = readLayerTypes(config, () => false)
  const isSparse = readMlpTypes(config) ?? (() => true)
  const settings = {
    names: QWEN_EXPERTS,
    ...readExpertCounts(config, { count: 64, topK: 8, intermediateSize: 896 }),
    routing: softmaxRouting(config.flag('norm_topk_prob', true)),
  }
  config.ignore('intermediate_size', 'num_nextn_predict_layers', 'num_mtp_layers')
  config.ignore('mtp_layer_types', 'mtp_mlp_layer_types')
  return {
    kvHeads: 4,
    headDim: 128,
    bias: readAttentionBias(config),
    headNorm: HEAD_NORM,
    rope: readLayerRopes(config, types, { full: { theta: 500_000 }, sliding: { theta: 10_000 } }),
    window: windowsOf(config, types, readWindow(config, 1024)),
    extras: [/^mtp\./],
    experts: (layer, parts) => (isSparse(layer) ? describeExperts(parts, has, settings) : null),
  }
}

import type { ConfigReader } from './config-reader.js'
import type { Differences } from './differences.js'
import {
  describeCohere,
  describeGemma,
  describeGpt2,
  describeSandwichedGemma,
  POST_NORMS,
  readGpt2Scale,
} from './family-bases.js'
import {
  allButEvery,
  describeExperts,
  MIXTRAL_EXPERTS,
  QWEN_EXPERTS,
  readAttentionBias,
  readExpertCount,
  readMultipliers,
  readQwenWindows,
  readSparseLayers,
  rope,
} from './family-parts.js'
import { readLayerTypes, readWindow, windowsOf } from './layer-types.js'
import { MORE_FAMILIES } from './more-families.js'

/** A kind of decoder, by `model_type`. */
export interface Family {
  /** The models that people know it by. */
  title: string
  /** What sets it apart from Llama, in a few words. */
  notes: string
  /** What the names of the decoder's tensors start with, unless it was saved without its head; `model.` */
  prefix?: string
  /** @param has whether the checkpoint has a tensor, by its full name */
  describe: (config: ConfigReader, has: (name: string) => boolean) => Differences
}

const LAYER_NORM = { kind: 'layer' } as const

/** The families that can be read from safetensors, each by its differences from Llama. */
export const FAMILIES: Record<string, Family> = {
  llama: {
    title: 'Llama 1 to 3.3, SmolLM 1 and 2, TinyLlama, Yi, DeepSeek LLM',
    notes: 'RMS norms, rotary embedding of any type, gated MLP',
    describe: (config) => ({
      bias: { ...readAttentionBias(config), mlp: config.flag('mlp_bias', false) },
      rope: rope(config),
    }),
  },
  mistral: {
    title: 'Mistral 7B to Large, Ministral 8B, Zephyr',
    notes: 'a sliding window in all layers',
    describe: (config) => {
      const window = readWindow(config, 4096)
      config.ignore('layer_types')
      return { kvHeads: 8, rope: rope(config), window: () => window }
    },
  },
  qwen2: {
    title: 'Qwen 1.5, 2 and 2.5, DeepSeek R1 Distill Qwen',
    notes: 'biases on queries, keys and values; windows in the upper layers',
    describe: (config) => ({
      bias: { qkv: true },
      rope: rope(config),
      window: readQwenWindows(config, (layer, first) => layer >= first),
    }),
  },
  qwen3: {
    title: 'Qwen 3',
    notes: 'norms on the heads of queries and keys',
    describe: (config) => ({
      bias: readAttentionBias(config),
      headDim: 128,
      headNorm: { span: 'head', query: 'q_norm', key: 'k_norm' },
      rope: rope(config),
      window: readQwenWindows(config, (layer, first) => layer >= first),
    }),
  },
  phi3: {
    title: 'Phi 3, 3.5 and 4',
    notes: 'queries, keys and values in one matrix, gate and up in another; LongRoPE',
    describe: (config) => {
      const window = readWindow(config, null)
      config.ignore('attention_bias')
      return {
        norm: { epsilon: 1e-5 },
        layout: 'stacked',
        mlp: 'gated in one',
        rope: rope(config, { partial: 1, yarnIsLongrope: true }),
        window: () => window,
      }
    },
  },
  gemma: {
    title: 'Gemma 1, CodeGemma',
    notes: 'scaled embedding, norms of 1 + weight',
    describe: (config) => ({
      ...describeGemma(config),
      kvHeads: 16,
      bias: readAttentionBias(config),
      keys: { activation: config.has('hidden_activation') ? 'hidden_activation' : 'hidden_act' },
      activationNames: { gelu: 'gelu_tanh' },
      rope: rope(config),
    }),
  },
  gemma2: {
    title: 'Gemma 2',
    notes: 'norms before and after attention and MLP, soft caps, a window in every other layer',
    describe: (config) => ({
      ...describeSandwichedGemma(config, 50, 30),
      rope: rope(config),
      window: windowsOf(config, readLayerTypes(config, allButEvery(2)), readWindow(config, 4096)),
    }),
  },
  gemma3_text: {
    title: 'Gemma 3 270M and 1B',
    notes: 'as Gemma 2 with norms on heads; layers with a window have a rope of their own',
    describe: (config) => {
      const pattern = config.count('sliding_window_pattern', undefined)
      const types = readLayerTypes(config, allButEvery(pattern ?? config.count('_sliding_window_pattern', 6)))
      const full = rope(config, { theta: 1_000_000, layerType: 'full_attention' })
      const sliding = rope(config, {
        layerType: 'sliding_attention',
        keys: { theta: 'rope_local_base_freq' },
        scaled: false,
      })
      if (config.has('attn_logit_softcapping')) throw config.refuse('attn_logit_softcapping', 'null')
      return {
        ...describeSandwichedGemma(config, null, null),
        headNorm: { span: 'head', query: 'q_norm', key: 'k_norm' },
        rope: (layer, sizes) => (types(layer) === 'full_attention' ? full : sliding)(layer, sizes),
        window: windowsOf(config, types, readWindow(config, 4096)),
      }
    },
  },
  olmo2: {
    title: 'OLMo 2',
    notes: 'norms after attention and MLP in place of before; norms over all queries and all keys',
    describe: (config) => ({ ...POST_NORMS, bias: readAttentionBias(config), rope: rope(config) }),
  },
  smollm3: {
    title: 'SmolLM 3',
    notes: 'layers without rotary embedding',
    describe: (config) => {
      const interval = config.count('no_rope_layer_interval', 4)
      const layers = config.count('num_hidden_layers')
      const usesRope = config.numbers(
        'no_rope_layers',
        Array.from({ length: layers }, (_, layer) => Number((layer + 1) % interval !== 0)),
      )
      if (usesRope.length !== layers) throw config.refuse('no_rope_layers', `${layers} numbers, one a layer`)
      const shared = rope(config, { theta: 2_000_000 })
      const window = config.flag('use_sliding_window', false) ? readWindow(config, null) : null
      config.ignore('sliding_window')
      const types = readLayerTypes(config, (layer) => window !== null && !usesRope[layer])
      return {
        tied: true,
        kvHeads: 4,
        bias: { ...readAttentionBias(config), mlp: config.flag('mlp_bias', false) },
        rope: (layer, sizes) => (usesRope[layer] ? shared(layer, sizes) : null),
        window: (layer) => (types(layer) === 'sliding_attention' ? window : null),
      }
    },
  },
  granite: {
    title: 'Granite 3 and 4 (dense)',
    notes: 'factors on embedding, scores, residual sums and logits',
    describe: (config) => ({
      ...readMultipliers(config),
      bias: { ...readAttentionBias(config), mlp: config.flag('mlp_bias', false) },
      rope: rope(config),
    }),
  },
  cohere: {
    title: 'Command R and R+, Aya',
    notes: 'attention and MLP in parallel, layer norms without bias, interleaved rope',
    describe: (config) => ({
      ...describeCohere(config),
      headNorm: config.flag('use_qk_norm', false)
        ? { span: 'each head', query: 'q_norm', key: 'k_norm' }
        : undefined,
      rope: rope(config, { theta: 500_000, interleaved: true }),
    }),
  },
  starcoder2: {
    title: 'StarCoder 2',
    notes: 'layer norms, plain MLP, biases everywhere',
    describe: (config) => {
      const bias = config.flag('use_bias', true)
      const window = readWindow(config, null)
      return {
        tied: true,
        kvHeads: 2,
        norm: { ...LAYER_NORM, key: 'norm_epsilon' },
        bias: { qkv: bias, output: bias, mlp: bias },
        mlp: 'plain',
        names: { up: 'c_fc', down: 'c_proj' },
        activation: 'gelu_pytorch_tanh',
        rope: rope(config),
        window: () => window,
      }
    },
  },
  stablelm: {
    title: 'StableLM 2, Zephyr 1.6B and 3B',
    notes: 'layer norms, part of each head rotated, parallel layers in some',
    describe: (config) => {
      const parallel = config.flag('use_parallel_residual', false)
      return {
        kvHeads: 32,
        norm: LAYER_NORM,
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
  phi: {
    title: 'Phi 1, 1.5 and 2',
    notes: 'attention and MLP in parallel with one norm, part of each head rotated',
    describe: (config) => ({
      norm: LAYER_NORM,
      norms: { beforeMlp: null },
      parallel: true,
      names: { output: 'dense', up: 'fc1', down: 'fc2', finalNorm: 'final_layernorm' },
      bias: { qkv: true, output: true, mlp: true },
      head: { bias: true },
      mlp: 'plain',
      activation: 'gelu_new',
      headNorm: config.flag('qk_layernorm', false)
        ? { span: 'head', query: 'q_layernorm', key: 'k_layernorm', bias: true }
        : undefined,
      rope: rope(config, { partial: 0.5 }),
    }),
  },
  gpt_neox: {
    title: 'Pythia, GPT-NeoX 20B, Dolly 2',
    notes: 'attention and MLP in parallel with a norm each, queries, keys and values by head in one matrix',
    prefix: 'gpt_neox.',
    describe: (config) => {
      const bias = config.flag('attention_bias', true)
      return {
        norm: LAYER_NORM,
        parallel: config.flag('use_parallel_residual', true),
        names: {
          embedding: 'embed_in',
          finalNorm: 'final_layer_norm',
          attention: 'attention',
          packed: 'query_key_value',
          output: 'dense',
          up: 'dense_h_to_4h',
          down: 'dense_4h_to_h',
        },
        head: { name: 'embed_out' },
        bias: { qkv: bias, output: bias, mlp: true },
        layout: 'grouped',
        mlp: 'plain',
        activation: 'gelu',
        rope: rope(config, { partial: 0.25, keys: { theta: 'rotary_emb_base', partial: 'rotary_pct' } }),
        extras: [/\.attention\.(bias|masked_bias)$/],
      }
    },
  },
  gpt2: {
    title: 'GPT-2, DistilGPT-2',
    notes: 'learnt positions, matrices stored transposed',
    prefix: 'transformer.',
    describe: (config) => ({
      ...describeGpt2(config, 'gelu_new'),
      transposed: true,
      scale: readGpt2Scale(config),
    }),
  },
  mixtral: {
    title: 'Mixtral',
    notes: 'experts in all layers',
    describe: (config, has) => {
      const window = readWindow(config, null)
      const settings = {
        names: MIXTRAL_EXPERTS,
        count: readExpertCount(config, 8),
        perToken: config.count('num_experts_per_tok', 2),
        normalized: true,
        inner: config.count('intermediate_size'),
      }
      return {
        kvHeads: 8,
        norm: { epsilon: 1e-5 },
        rope: rope(config, { theta: 1_000_000 }),
        window: () => window,
        experts: (_layer, parts) => describeExperts(parts, has, settings),
      }
    },
  },
  qwen3_moe: {
    title: 'Qwen 3 30B-A3B and 235B-A22B',
    notes: 'as Qwen 3, with experts',
    describe: (config, has) => {
      const isSparse = readSparseLayers(config)
      const size = readWindow(config, 4096)
      const window = config.flag('use_sliding_window', false) ? size : null
      config.ignore('intermediate_size', 'max_window_layers')
      const settings = {
        names: QWEN_EXPERTS,
        count: readExpertCount(config, 128),
        perToken: config.count('num_experts_per_tok', 8),
        normalized: config.flag('norm_topk_prob', false),
        inner: config.count('moe_intermediate_size', 768),
      }
      return {
        kvHeads: 4,
        bias: readAttentionBias(config),
        headNorm: { span: 'head', query: 'q_norm', key: 'k_norm' },
        rope: rope(config),
        window: () => window,
        experts: (layer, parts) => (isSparse(layer) ? describeExperts(parts, has, settings) : null),
      }
    },
  },
  ...MORE_FAMILIES,
}

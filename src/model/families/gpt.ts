import { DECODERS } from '../../files/checkpoint/known-models.js'
import { expandAttentionTypes } from './attention-types.js'
import type { ConfigReader } from './config-reader.js'
import type { Differences } from './differences.js'
import type { Family } from './family.js'
import { describeGpt2, NEOX_NAMES, readGpt2Scale } from './family-bases.js'
import { rope } from './family-parts.js'
import { readWindow } from './layer-types.js'

const LAYER_NORM = { kind: 'layer' } as const

/** Decoders with layer norms and a plain MLP, in the line of GPT-2. */
export const GPT_FAMILIES: Record<string, Family> = {
  gpt2: {
    title: 'GPT-2, DistilGPT-2',
    notes: 'learnt positions, matrices stored transposed',
    prefix: 'transformer.',
    describe: (config) => ({
      ...describeGpt2(config, { activation: 'gelu_new', positions: DECODERS.gpt2.learntPositions }),
      transposed: true,
      scale: readGpt2Scale(config),
    }),
  },
  gpt_bigcode: {
    title: 'StarCoder 1, SantaCoder',
    notes: 'as GPT-2 with one key head',
    prefix: 'transformer.',
    fixed: { scale_attn_by_inverse_layer_idx: false },
    describe: (config) => {
      const isMultiQuery = config.flag('multi_query', true)
      const base = describeGpt2(config, {
        activation: 'gelu_pytorch_tanh',
        positions: DECODERS.gpt_bigcode.learntPositions,
      })
      config.ignore('num_key_value_heads')
      return {
        ...base,
        keys: { ...base.keys, kvHeads: null },
        kvHeads: isMultiQuery ? 1 : undefined,
        layout: 'grouped',
        scale: readGpt2Scale(config),
      }
    },
  },
  gpt_neo: {
    title: 'GPT-Neo, TinyStories',
    notes: 'as GPT-2 with a window in every other layer, scores not scaled',
    prefix: 'transformer.',
    describe: (config) => {
      const window = config.length('window_size', 256)
      const types = readGptNeoLayers(config)
      const base = describeGpt2(config, {
        activation: 'gelu_new',
        positions: DECODERS.gpt_neo.learntPositions,
      })
      return {
        ...base,
        names: { ...base.names, attention: 'attn.attention', output: 'out_proj' },
        keys: {
          hidden: 'hidden_size',
          layers: 'num_layers',
          heads: 'num_heads',
          inner: 'intermediate_size',
          activation: 'activation_function',
        },
        bias: { qkv: false, output: true, mlp: true },
        layout: 'separate',
        scale: () => 1,
        window: (layer) => (types[layer] === 'local' ? window : null),
        extras: [/\.attn\.attention\.(bias|masked_bias)$/],
      }
    },
  },
  gptj: {
    title: 'GPT-J 6B',
    notes: 'attention and MLP in parallel with one norm, interleaved rope on part of each head',
    prefix: 'transformer.',
    fixed: {
      rotary: true,
      scale_attn_weights: true,
      rope_theta: 10_000,
      rope_scaling: null,
      rope_parameters: null,
    },
    describe: (config) => {
      const base = describeGpt2(config, { activation: 'gelu_new', positions: 2048 })
      if (config.isNull('rotary_dim')) throw config.refuse('rotary_dim', 'a number')
      const dimensions = config.count('rotary_dim', 64)
      return {
        ...base,
        tied: false,
        names: { ...base.names, output: 'out_proj', up: 'fc_in', down: 'fc_out' },
        norms: { beforeMixer: 'ln_1', beforeMlp: null },
        parallel: true,
        embedding: {},
        head: { bias: true },
        bias: { qkv: false, output: false, mlp: true },
        layout: 'separate',
        rope: rope(config, { interleaved: true, dimensions }),
      }
    },
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
        names: NEOX_NAMES,
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
  opt: {
    title: 'OPT, Galactica',
    notes: 'learnt positions; norms after the sums in 350M',
    fixed: { learned_embeddings: true, scale_embeddings: false },
    describe: describeOpt,
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
  starcoder2: {
    title: 'StarCoder 2',
    notes: 'layer norms, plain MLP, biases everywhere',
    fixed: { mlp_type: 'default', norm_type: 'layer_norm', scale_attn_weights: true },
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
}

function describeOpt(config: ConfigReader): Differences {
  const bias = config.flag('enable_bias', true)
  const hasWeights = config.flag('layer_norm_elementwise_affine', true)
  const isBefore = config.flag('do_layer_norm_before', true)
  const size = config.count('word_embed_proj_dim', config.count('hidden_size'))
  return {
    inner: 'decoder.',
    tied: true,
    names: { finalNorm: 'final_layer_norm', output: 'out_proj', mlp: '', up: 'fc1', down: 'fc2' },
    keys: { inner: 'ffn_dim', activation: 'activation_function' },
    norm: { kind: 'layer', key: null, weight: hasWeights, bias: hasWeights },
    norms: isBefore
      ? { beforeMixer: 'self_attn_layer_norm', beforeMlp: 'final_layer_norm' }
      : {
          beforeMixer: null,
          beforeMlp: null,
          streamAfterMixer: 'self_attn_layer_norm',
          streamAfterMlp: 'final_layer_norm',
        },
    noFinalNorm: !isBefore || config.flag('_remove_final_layer_norm', false),
    embedding: {
      size,
      projections: { into: 'project_in', back: 'project_out' },
      positions: {
        kind: 'learnt',
        name: 'embed_positions',
        count: config.length('max_position_embeddings', 2048),
        offset: 2,
      },
    },
    bias: { qkv: bias, output: bias, mlp: bias },
    mlp: 'plain',
    activation: 'relu',
  }
}

/** `attention_types` is [[kinds, repeats], ...]; an `attention_layers` list beside it must say the same. */
function readGptNeoLayers(config: ConfigReader): string[] {
  const layers = config.layers('num_layers')
  const types = config.raw('attention_types')
  const expected = `global or local for each of ${layers} layers`
  const spelled = config.texts('attention_layers', undefined)
  const kinds = types === undefined || types === null ? spelled : expandAttentionTypes(types, layers)
  if (kinds?.length !== layers || !kinds.every((kind) => kind === 'global' || kind === 'local')) {
    throw config.refuse('attention_types', expected)
  }
  if (spelled && JSON.stringify(spelled) !== JSON.stringify(kinds)) {
    throw config.refuse('attention_layers', 'the same as attention_types')
  }
  return kinds as string[]
}

import { DECODERS } from '../../files/checkpoint/known-models.js'
import type { ConfigReader } from './describe/config-reader.js'
import type { Differences, Sizes } from './describe/differences.js'
import type { Family } from './describe/family.js'
import { rope } from './describe/family-parts.js'
import { expandAttentionTypes } from './describe/layer-types.js'

export const GPT_FAMILIES: Record<string, Family> = {
  'openai-gpt': {
    title: 'GPT 1',
    notes: 'as GPT-2, with norms after the residual sums',
    prefix: 'transformer.',
    describe: (config) => {
      const base = describeGpt2(config, {
        activation: 'gelu',
        positions: DECODERS['openai-gpt'].learntPositions,
      })
      const { positions } = base.embedding!
      config.ignore('n_special', 'predict_special_tokens')
      return {
        ...base,
        names: { ...base.names, embedding: 'tokens_embed' },
        keys: { ...base.keys, activation: 'afn' },
        activationNames: { gelu: 'gelu_tanh' },
        norms: { beforeMixer: null, beforeMlp: null, streamAfterMixer: 'ln_1', streamAfterMlp: 'ln_2' },
        noFinalNorm: true,
        embedding: { positions: { ...positions!, name: 'positions_embed' } },
        transposed: true,
      }
    },
  },
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
        layout: 'qkv per group',
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
          intermediateSize: 'intermediate_size',
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
  codegen: {
    title: 'CodeGen 1 and 2',
    notes: 'as GPT-J, with queries, values and keys of each quarter of the heads in one matrix',
    prefix: 'transformer.',
    fixed: { scale_attn_weights: true },
    describe: (config) => {
      const { tied: _, ...base } = describeGpt2(config, { activation: 'gelu_new', positions: 2048 })
      if (config.isNull('rotary_dim')) throw config.refuse('rotary_dim', 'a number')
      return {
        ...base,
        names: { ...base.names, packed: 'qkv_proj', output: 'out_proj', up: 'fc_in', down: 'fc_out' },
        norms: { beforeMixer: 'ln_1', beforeMlp: null },
        parallel: true,
        embedding: {},
        head: { bias: true },
        bias: { qkv: false, output: false, mlp: true },
        layout: 'qvk per quarter',
        rope: rope(config, { interleaved: true, dimensions: config.count('rotary_dim', 64) }),
        extras: [/\.attn\.causal_mask$/],
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
        norm: { kind: 'layer' },
        parallel: config.flag('use_parallel_residual', true),
        names: NEOX_NAMES,
        head: { name: 'embed_out' },
        bias: { qkv: bias, output: bias, mlp: true },
        layout: 'qkv per group',
        mlp: 'plain',
        activation: 'gelu',
        rope: rope(config, { partial: 0.25, keys: { theta: 'rotary_emb_base', partial: 'rotary_pct' } }),
        extras: [/\.attention\.(bias|masked_bias)$/],
      }
    },
  },
  gpt_neox_japanese: {
    title: 'GPT-NeoX Japanese 2.7B',
    notes: 'as GPT-NeoX, attention and MLP in sequence; one bias, after the attention of the last layer',
    prefix: 'gpt_neox_japanese.',
    cutLimit: ({ whole, kept }) =>
      kept.at(-1) === whole - 1 ? undefined : 'only the last layer of gpt_neox_japanese has a bias after its attention',
    describe: (config) => ({
      tied: true,
      norm: { kind: 'layer' },
      names: NEOX_NAMES,
      keys: { kvHeads: null },
      head: { name: 'embed_out' },
      outputBias: (layer, { layers }) => (layer === layers - 1 ? 'dense_bias' : null),
      layout: 'qkv per group',
      mlp: 'plain',
      innerMultiple: config.length('intermediate_multiple_size', 4),
      activation: 'gelu',
      rope: rope(config, { partial: 1, keys: { theta: 'rotary_emb_base', partial: 'rotary_pct' } }),
    }),
  },
}

/** `attention_types` is [[kinds, repeats], ...]; an `attention_layers` list must agree with it. */
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

/** GPT-2 and the families that use its names: learnt positions, layer norms, plain MLP, biases everywhere. */
function describeGpt2(config: ConfigReader, usual: { activation: string; positions: number }): Differences {
  if (config.flag('add_cross_attention', false)) throw config.refuse('add_cross_attention', 'false')
  return {
    tied: true,
    names: {
      layers: 'h',
      embedding: 'wte',
      finalNorm: 'ln_f',
      attention: 'attn',
      packed: 'c_attn',
      output: 'c_proj',
      up: 'c_fc',
      down: 'c_proj',
    },
    keys: {
      hidden: 'n_embd',
      layers: 'n_layer',
      heads: 'n_head',
      intermediateSize: 'n_inner',
      activation: 'activation_function',
    },
    norm: { kind: 'layer', key: 'layer_norm_epsilon' },
    norms: { beforeMixer: 'ln_1', beforeMlp: 'ln_2' },
    embedding: {
      positions: {
        kind: 'learnt',
        name: 'wpe',
        count: config.length('n_positions', undefined) ?? config.length('max_position_embeddings', usual.positions),
        offset: 0,
      },
    },
    bias: { qkv: true, output: true, mlp: true },
    layout: 'qkv',
    mlp: 'plain',
    innerMultiple: 4,
    activation: usual.activation,
    extras: [/\.attn\.(bias|masked_bias)$/],
  }
}

function readGpt2Scale(config: ConfigReader): (layer: number, sizes: Sizes) => number {
  const isScaled = config.flag('scale_attn_weights', true)
  const byLayer = config.flag('scale_attn_by_inverse_layer_idx', false)
  return (layer, { headDim }) => (isScaled ? headDim ** -0.5 : 1) / (byLayer ? layer + 1 : 1)
}

const NEOX_NAMES = {
  embedding: 'embed_in',
  finalNorm: 'final_layer_norm',
  attention: 'attention',
  packed: 'query_key_value',
  output: 'dense',
  up: 'dense_h_to_4h',
  down: 'dense_4h_to_h',
}

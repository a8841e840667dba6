import { DECODERS } from '../../files/checkpoint/known-models.js'
import { makeAlibiSlopes } from './bloom.js'
import type { ConfigReader } from './config-reader.js'
import type { Differences } from './differences.js'
import type { Family } from './family.js'
import { describeGpt2, NEOX_NAMES } from './family-bases.js'
import { rope } from './family-parts.js'
import { isHarmlessKey } from './harmless-keys.js'

const BIAS = { qkv: true, output: true, mlp: true }

/** Decoders with layer norms and a plain MLP that are less known than those of GPT_FAMILIES. */
export const GPT_KIN: Record<string, Family> = {
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
        layout: 'quarters',
        rope: rope(config, { interleaved: true, dimensions: config.count('rotary_dim', 64) }),
        extras: [/\.attn\.causal_mask$/],
      }
    },
  },
  'openai-gpt': {
    title: 'GPT 1',
    notes: 'as GPT-2, with norms of the sums',
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
  gpt_neox_japanese: {
    title: 'GPT-NeoX Japanese 2.7B',
    notes: 'as GPT-NeoX, one part after the other; one bias, after the attention of the last layer',
    prefix: 'gpt_neox_japanese.',
    cutLimit: ({ whole, kept }) =>
      kept.at(-1) === whole - 1
        ? undefined
        : 'only the last layer of gpt_neox_japanese has a bias after its attention',
    describe: (config) => ({
      tied: true,
      norm: { kind: 'layer' },
      names: NEOX_NAMES,
      keys: { kvHeads: null },
      head: { name: 'embed_out' },
      outputBias: (layer, { layers }) => (layer === layers - 1 ? 'dense_bias' : null),
      layout: 'grouped',
      mlp: 'plain',
      innerMultiple: config.length('intermediate_multiple_size', 4),
      activation: 'gelu',
      rope: rope(config, { partial: 1, keys: { theta: 'rotary_emb_base', partial: 'rotary_pct' } }),
    }),
  },
  ctrl: {
    title: 'CTRL',
    notes: 'sines and cosines added to a scaled embedding',
    prefix: 'transformer.',
    fixed: { layer_norm_epsilon: 1e-6 },
    describe: describeCtrl,
  },
  persimmon: {
    title: 'Persimmon 8B',
    notes: 'as GPT-NeoX, one part after the other; layer norms on heads, squared ReLU',
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
      bias: BIAS,
      layout: 'grouped',
      mlp: 'plain',
      activation: 'relu2',
      rope: rope(config, { partial: 0.5 }),
    }),
  },
  mpt: {
    title: 'MPT 7B and 30B',
    notes: 'linear biases (ALiBi), layer norms without bias, queries, keys and values clipped',
    prefix: 'transformer.',
    fixed: { expansion_ratio: 4, no_bias: true, logit_scale: null },
    describe: describeMpt,
  },
  xglm: {
    title: 'XGLM',
    notes: 'sines and cosines added to a scaled embedding',
    fixed: { add_cross_attention: false },
    describe: (config) => ({
      ...OPT_LAYER,
      keys: {
        hidden: 'd_model',
        layers: 'num_layers',
        heads: 'attention_heads',
        kvHeads: null,
        inner: 'ffn_dim',
        activation: 'activation_function',
      },
      embedding: {
        scale: readEmbeddingScale(config, 'd_model'),
        positions: {
          kind: 'sinusoids',
          frequencies: makeFrequencies(config.count('d_model') / 2),
          offset: 2,
          empty: readPadding(config),
        },
      },
      extras: [/^model\.embed_positions\.weights$/],
    }),
  },
  biogpt: {
    title: 'BioGPT',
    notes: 'as OPT, with a scaled embedding',
    prefix: 'biogpt.',
    describe: (config) => {
      config.ignore('layer_norm_eps')
      return {
        ...OPT_LAYER,
        keys: { kvHeads: null },
        head: { name: 'output_projection' },
        embedding: {
          scale: readEmbeddingScale(config, 'hidden_size'),
          positions: {
            kind: 'learnt',
            name: 'embed_positions',
            count: config.length('max_position_embeddings', DECODERS.biogpt.learntPositions),
            offset: 2,
          },
        },
      }
    },
  },
}

function describeCtrl(config: ConfigReader): Differences {
  const size = config.count('n_embd')
  config.ignore('from_tf', 'output_past', 'predict_special_tokens')
  return {
    tied: true,
    names: {
      layers: 'h',
      embedding: 'w',
      finalNorm: 'layernorm',
      attention: 'multi_head_attention',
      query: 'Wq',
      key: 'Wk',
      value: 'Wv',
      output: 'dense',
      mlp: 'ffn',
      up: '0',
      down: '2',
    },
    keys: { hidden: 'n_embd', layers: 'n_layer', heads: 'n_head', kvHeads: null, inner: 'dff' },
    norm: { kind: 'layer', key: null, epsilon: 1e-6 },
    norms: { beforeMixer: 'layernorm1', beforeMlp: 'layernorm2' },
    embedding: {
      scale: Math.sqrt(size),
      positions: { kind: 'sinusoids', frequencies: makeCtrlFrequencies(size), offset: 0, empty: null },
    },
    bias: BIAS,
    head: { bias: true },
    mlp: 'plain',
    activation: 'relu',
  }
}

/** 10000 to the power of -2i / size, in float32. */
function makeCtrlFrequencies(size: number): number[] {
  return Array.from({ length: size / 2 }, (_, index) =>
    Math.fround(1 / Math.fround(10_000 ** Math.fround((2 * index) / size))),
  )
}

/** OPT's layer under its names, biases everywhere. */
const OPT_LAYER: Differences = {
  tied: true,
  names: { finalNorm: 'layer_norm', output: 'out_proj', mlp: '', up: 'fc1', down: 'fc2' },
  norm: { kind: 'layer', key: null },
  norms: { beforeMixer: 'self_attn_layer_norm', beforeMlp: 'final_layer_norm' },
  bias: BIAS,
  mlp: 'plain',
  activation: 'gelu',
}

function readEmbeddingScale(config: ConfigReader, size: string): number {
  return config.flag('scale_embedding', true) ? Math.sqrt(config.count(size)) : 1
}

/** Whose position is empty: that of the token for padding, counted as positions are. */
function readPadding(config: ConfigReader): number {
  const padding = config.number('pad_token_id', 1)
  if (Number.isSafeInteger(padding) && padding >= 0) return padding
  throw config.refuse('pad_token_id', 'a whole number of at least 0')
}

/** Frequencies of fairseq's sinusoids: from 1 to 1/10000, in float32. */
function makeFrequencies(count: number): number[] {
  const step = Math.fround(-Math.log(10_000) / (count - 1))
  return Array.from({ length: count }, (_, index) => Math.fround(Math.exp(Math.fround(index * step))))
}

function describeMpt(config: ConfigReader): Differences {
  const settings = config.object('attn_config')
  const clip = settings?.positive('clip_qkv', null) ?? null
  const scale = settings?.positive('softmax_scale', null) ?? null
  for (const [key, value] of Object.entries(MPT_ATTENTION)) settings?.expect(key, value)
  settings?.ignore('attn_impl', 'tie_word_embeddings')
  settings?.assertAllRead('mpt', (key, value) => isHarmlessKey(key, value, []))
  config.ignore('learned_pos_emb', 'embedding_fraction', 'norm_type', 'init_device', 'max_seq_len', 'verbose')
  return {
    tied: true,
    names: {
      layers: 'blocks',
      embedding: 'wte',
      finalNorm: 'norm_f',
      attention: 'attn',
      packed: 'Wqkv',
      output: 'out_proj',
      mlp: 'ffn',
    },
    keys: { hidden: 'd_model', layers: 'n_layers', heads: 'n_heads', kvHeads: null },
    norm: { kind: 'layer', key: 'layer_norm_epsilon', bias: false },
    norms: { beforeMixer: 'norm_1', beforeMlp: 'norm_2' },
    layout: 'stacked',
    clip,
    scale: (_layer, { headDim }) => scale ?? headDim ** -0.5,
    alibi: ({ heads }) => ({ slopes: makeAlibiSlopes(heads), inBfloat16: false, scale: 1 }),
    mlp: 'plain',
    innerMultiple: 4,
    activation: 'gelu',
  }
}

/** What transformers takes for granted of MPT's attention. */
const MPT_ATTENTION = {
  alibi: true,
  alibi_bias_max: 8,
  attn_type: 'multihead_attention',
  attn_uses_sequence_id: false,
  prefix_lm: false,
  qk_ln: false,
}

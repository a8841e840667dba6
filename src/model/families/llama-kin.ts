import type { ConfigReader } from './config-reader.js'
import type { Differences, Sizes } from './differences.js'
import { type Family, keepsNumbers } from './family.js'
import { readAttentionBias, rope } from './family-parts.js'
import { readLayerTypes, readWindow, windowsOf } from './layer-types.js'

const APERTUS_FIXED = { mlp_bias: false, post_norm: false, qk_norm: true }

const MINICPM = { scale_depth: 1 }

const EPSILON = { norm: { epsilon: 1e-5 } } as const

/** Decoders with the layer of Llama but for a part or two. */
export const LLAMA_KIN: Record<string, Family> = {
  ministral3: {
    title: 'Ministral 3 3B to 14B (text)',
    notes: 'as Mistral, with queries that grow with their position',
    describe: describeMinistral3,
  },
  cwm: {
    title: 'Code World Model 32B',
    notes: 'a window in three layers of four',
    describe: (config) => {
      const types = readLayerTypes(config, (layer) => layer % 4 !== 0)
      return {
        ...EPSILON,
        kvHeads: 8,
        headDim: 128,
        bias: { mlp: config.flag('mlp_bias', false) },
        rope: rope(config, { theta: 1_000_000, usual: CWM_ROPE }),
        window: windowsOf(config, types, readWindow(config, 8192)),
      }
    },
  },
  internlm2: {
    title: 'InternLM 2 and 2.5',
    notes: 'as Llama, with queries, keys and values by key head in one matrix',
    describe: (config) => {
      const bias = config.flag('bias', true)
      return {
        names: {
          embedding: 'tok_embeddings',
          attention: 'attention',
          packed: 'wqkv',
          output: 'wo',
          mlp: 'feed_forward',
          gate: 'w1',
          up: 'w3',
          down: 'w2',
        },
        norms: { beforeMixer: 'attention_norm', beforeMlp: 'ffn_norm' },
        head: { name: 'output' },
        bias: { qkv: bias, output: bias },
        layout: 'grouped',
        rope: rope(config),
      }
    },
  },
  internlm3: {
    title: 'InternLM 3',
    notes: 'as Llama, with names of its own for biases',
    describe: (config) => {
      const bias = config.flag(config.choose('bias', 'mlp_bias'), false)
      const qkv = config.choose('qkv_bias', 'attention_bias')
      if (config.flag(qkv, false) !== bias) throw config.refuse(qkv, `${bias} as the other biases`)
      return {
        ...EPSILON,
        kvHeads: 2,
        headDim: 128,
        bias: { qkv: bias, output: bias, mlp: bias },
        rope: rope(config),
      }
    },
  },
  iquestcoder: {
    title: 'IQuest Coder',
    notes: 'as Llama',
    describe: (config) => ({
      ...EPSILON,
      kvHeads: 8,
      headDim: 128,
      bias: { ...readAttentionBias(config), mlp: config.flag('mlp_bias', false) },
      rope: rope(config),
    }),
  },
  diffllama: {
    title: 'DiffLlama',
    notes: 'differential attention: half of the heads is taken from the other half',
    cutLimit: (cut) =>
      keepsNumbers(cut) ? undefined : 'attention of diffllama depends on the number of the layer',
    describe: (config) => {
      const kvHeads = config.count('num_key_value_heads', config.count('num_attention_heads'))
      if (kvHeads % 2 !== 0) throw config.refuse('num_key_value_heads', 'an even number')
      config.ignore('lambda_std_dev')
      return {
        ...EPSILON,
        bias: readAttentionBias(config),
        differential: (layer) => 0.8 - 0.6 * Math.exp(-0.3 * layer),
        rope: rope(config),
      }
    },
  },
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
      bias: { ...readAttentionBias(config), mlp: config.flag('mlp_bias', false) },
      rope: rope(config, { theta: 500_000 }),
    }),
  },
  apertus: {
    title: 'Apertus 8B and 70B',
    notes: 'plain MLP with xIELU, norms on the heads of queries and keys',
    fixed: APERTUS_FIXED,
    describe: describeApertus,
  },
  apertus1p5_text: {
    title: 'Apertus 1.5 (text)',
    notes: 'as Apertus, with a head for the first tokens only',
    fixed: APERTUS_FIXED,
    describe: (config) => {
      const size = config.count('output_vocab_size', undefined)
      return { ...describeApertus(config), ...(size !== undefined && { head: { size } }) }
    },
  },
  bitnet: {
    title: 'BitNet whose weights are not quantised',
    notes: 'norms before the last products of attention and MLP, squared ReLU',
    describe: (config) => ({
      ...EPSILON,
      kvHeads: 5,
      bias: readAttentionBias(config),
      activation: 'relu2',
      innerNorms: { attention: 'attn_sub_norm', mlp: 'ffn_sub_norm' },
      rope: rope(config, { theta: 500_000 }),
    }),
  },
  nanochat: {
    title: 'nanochat',
    notes:
      'norms with nothing learnt, also of the embedding and of heads after the rotation; plain MLP with squared ReLU',
    describe: describeNanochat,
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
        bias: { ...readAttentionBias(config), mlp: config.flag('mlp_bias', false) },
        rope: rope(config),
      }
    },
  },
  minicpm: {
    title: 'MiniCPM 1B and 2B, MiniCPM 4',
    notes: 'factors on embedding, residual sums and logits that depend on the sizes',
    fixed: { pe_type: 'ROPE' },
    layerDefaults: MINICPM,
    describe: describeMinicpm,
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

const APERTUS_ROPE = {
  rope_type: 'llama3',
  rope_theta: 12_000_000,
  factor: 8,
  high_freq_factor: 4,
  low_freq_factor: 1,
  original_max_position_embeddings: 8192,
}

const MINISTRAL3_ROPE = {
  rope_type: 'yarn',
  rope_theta: 1_000_000,
  factor: 16,
  original_max_position_embeddings: 16_384,
  beta_fast: 32,
  beta_slow: 1,
  mscale_all_dim: 1,
  mscale: 1,
  llama_4_scaling_beta: 0.1,
}

function describeMinistral3(config: ConfigReader): Differences {
  const window = readWindow(config, null)
  const stated = config.object('rope_parameters') ?? config.object('rope_scaling')
  const settings = stated ?? config.assume('rope_parameters', MINISTRAL3_ROPE)
  return {
    ...EPSILON,
    kvHeads: 8,
    headDim: 128,
    window: () => window,
    rope: rope(config, {
      theta: 1_000_000,
      usual: MINISTRAL3_ROPE,
      others: ['llama_4_scaling_beta', 'max_position_embeddings'],
    }),
    queryGrowth: {
      rate: settings.number('llama_4_scaling_beta'),
      period: settings.length('original_max_position_embeddings'),
      offset: 0,
    },
  }
}

function describeApertus(config: ConfigReader): Differences {
  const isXielu = config.text('hidden_act', 'xielu') === 'xielu'
  return {
    ...EPSILON,
    norms: { beforeMixer: 'attention_layernorm', beforeMlp: 'feedforward_layernorm' },
    headNorm: { span: 'head', query: 'q_norm', key: 'k_norm' },
    bias: readAttentionBias(config),
    mlp: 'plain',
    makeActivation: isXielu
      ? (name) => ({
          kind: 'xielu',
          positive: name('mlp.act_fn.alpha_p'),
          negative: name('mlp.act_fn.alpha_n'),
          beta: name('mlp.act_fn.beta'),
          epsilon: name('mlp.act_fn.eps'),
        })
      : undefined,
    rope: rope(config, { theta: 12_000_000, usual: APERTUS_ROPE }),
  }
}

function describeNanochat(config: ConfigReader): Differences {
  const softcap = config.isNull('final_logit_softcapping')
    ? null
    : config.positive('final_logit_softcapping', 15)
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

/** From the code that is published with the models; transformers has none. */
function describeMinicpm(config: ConfigReader): Differences {
  const layers = config.layers('num_hidden_layers')
  const width = config.count('hidden_size')
  const positions = config.length('max_position_embeddings', 2048)
  const known = rope(config)
  return {
    tied: true,
    embedding: { scale: config.number('scale_emb', 1) },
    residualMultiplier: Math.fround(config.number('scale_depth', MINICPM.scale_depth) / Math.sqrt(layers)),
    head: { scale: config.positive('dim_model_base', 1) / width },
    bias: readAttentionBias(config),
    rope: (layer: number, sizes: Sizes) => {
      const shared = known(layer, sizes)
      const { frequencies } = shared
      // the published code makes its tables for the longest text, and takes them for all
      if (frequencies.kind !== 'two sets' || positions <= frequencies.longestShort) return shared
      return { ...shared, frequencies: { kind: 'fixed', perPair: frequencies.long } }
    },
  }
}

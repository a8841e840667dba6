import type { ConfigReader } from './describe/config-reader.js'
import type { GatedRecurrence } from './describe/description.js'
import type { Differences, MixerParts } from './describe/differences.js'
import type { Family } from './describe/family.js'
import { allButEvery, HEAD_NORM, NOT_CAUSAL, readAttentionBias, rope } from './describe/family-parts.js'
import { readLayerTypes, readPattern, readWindow, windowsOf } from './describe/layer-types.js'

/** Sharpness of the decay in all models. */
const SHARPNESS = 8

const KINDS = ['recurrent', 'attention']

const CYCLE = ['recurrent', 'recurrent', 'attention']

export const GEMMA_FAMILIES: Record<string, Family> = {
  gemma: {
    title: 'Gemma 1, CodeGemma',
    notes: 'scaled embedding, norms of 1 + weight',
    describe: (config) => {
      const activation = config.text('hidden_act', 'gelu_pytorch_tanh')
      config.expect('hidden_activation', activation === 'gelu' ? 'gelu_pytorch_tanh' : activation)
      return {
        ...describeGemma(config),
        kvHeads: 16,
        bias: readAttentionBias(config),
        activationNames: { gelu: 'gelu_tanh' },
        rope: rope(config),
      }
    },
  },
  gemma2: {
    title: 'Gemma 2',
    notes: 'norms before and after attention and MLP, soft caps, a window in every other layer',
    describe: (config) => ({
      ...describeSandwichedGemma(config, 50, 30),
      rope: rope(config),
      window: readGemma2Windows(config),
    }),
  },
  gemma3_text: {
    title: 'Gemma 3 270M and 1B',
    notes: 'as Gemma 2 with norms on heads; layers with a window have a rope of their own',
    describe: (config) => {
      const types = readLayerTypes(config, allButEvery(readPattern(config, 6)))
      const full = rope(config, { theta: 1_000_000, layerType: 'full_attention' })
      const sliding = rope(config, {
        layerType: 'sliding_attention',
        keys: { theta: 'rope_local_base_freq' },
        scaled: false,
      })
      if (config.has('attn_logit_softcapping')) {
        throw config.refuse('attn_logit_softcapping', 'null: programs differ in whether Gemma 3 has caps')
      }
      return {
        ...describeSandwichedGemma(config, null, null),
        headNorm: HEAD_NORM,
        rope: (layer, sizes) => (types(layer) === 'full_attention' ? full : sliding)(layer, sizes),
        window: windowsOf(config, types, readWindow(config, 4096)),
      }
    },
  },
  vaultgemma: {
    title: 'VaultGemma 1B',
    notes: 'as Gemma 2 without the norms after attention and MLP',
    describe: (config) => ({
      ...describeSandwichedGemma(config, 50, 30),
      norms: { beforeMlp: 'pre_feedforward_layernorm' },
      rope: rope(config),
      window: readGemma2Windows(config),
    }),
  },
  recurrent_gemma: {
    title: 'RecurrentGemma 2B and 9B',
    notes: 'a gated linear recurrence in two layers of three, attention with a window in the others',
    fixed: { embeddings_scale_by_sqrt_dim: true },
    layerDefaults: { block_types: CYCLE },
    layerCycle: 'block_types',
    describe: describeRecurrentGemma,
  },
}

/** Some configs state the window twice. */
function readGemma2Windows(config: ConfigReader): (layer: number) => number | null {
  const window = readWindow(config, 4096)
  config.expect('sliding_window_size', window)
  return windowsOf(config, readLayerTypes(config, allButEvery(2)), window)
}

function describeRecurrentGemma(config: ConfigReader): Differences {
  const hidden = config.count('hidden_size')
  const heads = config.count('num_attention_heads')
  const channels = config.count('lru_width', hidden)
  const kernel = config.length('conv1d_width', 4)
  if (channels % heads !== 0) throw config.refuse('lru_width', `a multiple of num_attention_heads, ${heads}`)
  const isRecurrent = readKinds(config)
  const window = config.length(config.choose('attention_window_size', 'sliding_window'), 2048)
  config.ignore('w_init_variance_scale', 'final_w_init_variance_scale')
  return {
    ...describeGemma(config),
    headDim: Math.floor(hidden / heads),
    names: { attention: 'temporal_block', mlp: 'mlp_block', finalNorm: 'final_norm' },
    keys: { activation: 'hidden_activation' },
    norms: { beforeMixer: 'temporal_pre_norm', beforeMlp: 'channel_pre_norm' },
    bias: { qkv: config.flag('attention_bias', false), output: true, mlp: true },
    embedding: { scale: roundToBfloat16(Math.sqrt(hidden)) },
    mlpSize: Math.floor(config.count('intermediate_size') / 2),
    rope: rope(config, { partial: 0.5 }),
    window: () => window,
    head: { softcap: config.positive('logits_soft_cap', 30) },
    mixer: (layer, parts) =>
      isRecurrent(layer) ? describeRecurrence(parts, { channels, blocks: heads, kernel }) : null,
  }
}

/** Kinds of the first layers; the others repeat them. */
function readKinds(config: ConfigReader): (layer: number) => boolean {
  const kinds = config.texts('block_types', CYCLE)
  if (kinds.length === 0 || kinds.some((kind) => !KINDS.includes(kind))) {
    throw config.refuse('block_types', `a list of ${KINDS.join(' and ')}`)
  }
  const other: string[] = config.texts('_block_types', kinds)
  if (`${other}` !== `${kinds}`) throw config.refuse('_block_types', 'the same as block_types')
  return (layer) => kinds[layer % kinds.length] === 'recurrent'
}

function describeRecurrence(
  { name, linear, activation, sizes: { hidden } }: MixerParts,
  { channels, blocks, kernel }: { channels: number; blocks: number; kernel: number },
): GatedRecurrence {
  const own = (tensor: string) => name(`temporal_block.${tensor}`)
  const gate = (kind: string) => ({
    weight: own(`rg_lru.${kind}_gate_weight`),
    bias: own(`rg_lru.${kind}_gate_bias`),
  })
  return {
    kind: 'recurrence',
    channels,
    input: linear('temporal_block.linear_x', hidden, channels, true),
    convolution: {
      channels,
      weights: [own('conv_1d.weight')],
      bias: own('conv_1d.bias'),
      size: kernel,
    },
    gate: linear('temporal_block.linear_y', hidden, channels, true),
    activation,
    blocks,
    inputGate: gate('input'),
    decayGate: gate('recurrent'),
    rate: own('rg_lru.recurrent_param'),
    sharpness: SHARPNESS,
    output: linear('temporal_block.linear_out', channels, hidden, true),
  }
}

/** Rounds a factor to bfloat16's 8 significant bits, as the family's code does whatever the model's dtype. */
function roundToBfloat16(value: number): number {
  const step = 2 ** (Math.floor(Math.log2(value)) - 7)
  return Math.round(value / step) * step
}

/** Shared by all Gemmas: an embedding scaled by the root of the hidden size, norms of 1 + weight. */
function describeGemma(config: ConfigReader): Differences {
  if (config.raw('use_bidirectional_attention')) {
    throw config.refuse('use_bidirectional_attention', 'false: only causal decoders can be read', NOT_CAUSAL)
  }
  return {
    tied: true,
    headDim: 256,
    norm: { weightOffset: 1 },
    embedding: { scale: Math.fround(Math.sqrt(config.count('hidden_size'))) },
    activation: 'gelu_pytorch_tanh',
  }
}

/** Gemma 2 and 3: norms before and after attention and MLP, a configured scale, soft caps. */
function describeSandwichedGemma(config: ConfigReader, scoreCap: number | null, logitCap: number | null): Differences {
  const scale = config.positive('query_pre_attn_scalar', 256) ** -0.5
  const cap = (key: string, otherwise: number | null) => (config.isNull(key) ? null : config.positive(key, otherwise))
  config.ignore('hidden_act')
  return {
    ...describeGemma(config),
    kvHeads: 4,
    bias: readAttentionBias(config),
    keys: { activation: 'hidden_activation' },
    norms: {
      afterMixer: 'post_attention_layernorm',
      beforeMlp: 'pre_feedforward_layernorm',
      afterMlp: 'post_feedforward_layernorm',
    },
    scale: () => scale,
    softcap: cap('attn_logit_softcapping', scoreCap),
    head: { softcap: cap('final_logit_softcapping', logitCap) },
  }
}

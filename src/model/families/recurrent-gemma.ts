import type { ConfigReader } from './config-reader.js'
import type { GatedRecurrence } from './description.js'
import type { Differences, MixerParts } from './differences.js'
import type { Family } from './family.js'
import { describeGemma } from './family-bases.js'
import { rope } from './family-parts.js'

/** Sharpness of the decay, the same in all models. */
const SHARPNESS = 8

const KINDS = ['recurrent', 'attention']

const CYCLE = ['recurrent', 'recurrent', 'attention']

export const RECURRENT_GEMMA_FAMILIES: Record<string, Family> = {
  recurrent_gemma: {
    title: 'RecurrentGemma 2B and 9B',
    notes: 'a gated linear recurrence in two layers of three, attention with a window in the others',
    fixed: { embeddings_scale_by_sqrt_dim: true },
    layerDefaults: { block_types: CYCLE },
    layerCycle: 'block_types',
    describe: describeRecurrentGemma,
  },
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

/** The kinds of the first layers, which the others repeat. */
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

/** A factor of 8 significant bits, as the code of the family keeps it whatever the dtype of the rest. */
function roundToBfloat16(value: number): number {
  const step = 2 ** (Math.floor(Math.log2(value)) - 7)
  return Math.round(value / step) * step
}

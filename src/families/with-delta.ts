import { LayerpruneError } from '../errors.js'
import type { ConfigReader } from './config-reader.js'
import type { Delta, DeltaProjections } from './description.js'
import type { Differences, MixerParts } from './differences.js'
import { allButEvery, readAttentionBias, rope } from './family-parts.js'
import type { Family } from './table.js'

/** Decoders in which most layers have linear attention by the gated delta rule. */
export const DELTA_FAMILIES: Record<string, Family> = {
  qwen3_5_text: {
    title: 'Qwen 3.5 (dense, text)',
    notes: 'a gated delta rule in three layers of four, gated attention in the others',
    describe: (config) => {
      const sizes = readDeltaSizes(config)
      const isLinear = readLinearLayers(config)
      return {
        ...describeQwenHybrid(config),
        mixer: (layer, parts) => (isLinear(layer) ? describeDelta(parts, sizes, stackedInputs) : null),
      }
    },
  },
}

/** Sizes of the heads of linear attention. */
interface DeltaSizes {
  keyHeads: number
  valueHeads: number
  keyDim: number
  valueDim: number
  /** Tokens that a convolution sees. */
  kernel: number
}

function readDeltaSizes(config: ConfigReader): DeltaSizes {
  const keyHeads = config.count('linear_num_key_heads', 16)
  const valueHeads = config.count('linear_num_value_heads', 32)
  if (valueHeads % keyHeads !== 0) {
    throw new LayerpruneError(
      `config.json has ${valueHeads} value heads of linear attention for ${keyHeads} key heads, expected a multiple`,
      { hint: 'take config.json from the model it belongs to' },
    )
  }
  return {
    keyHeads,
    valueHeads,
    keyDim: config.count('linear_key_head_dim', 128),
    valueDim: config.count('linear_value_head_dim', 128),
    kernel: config.count('linear_conv_kernel_dim', 4),
  }
}

/** Whether a layer has linear attention: by layer_types, or by the period of full attention. */
function readLinearLayers(config: ConfigReader): (layer: number) => boolean {
  const layers = config.layers('num_hidden_layers')
  const types = config.texts('layer_types', undefined)
  const interval = config.length('full_attention_interval', 4)
  if (types === undefined) return allButEvery(interval)
  if (types.length !== layers) throw config.refuse('layer_types', `${layers} entries, one per layer`)
  if (types.some((type) => type !== 'linear_attention' && type !== 'full_attention')) {
    throw config.refuse('layer_types', 'only linear_attention and full_attention')
  }
  return (layer) => types[layer] === 'linear_attention'
}

/** Qwen 3 Next and 3.5: norms of 1 + weight, attention with a gate on its output, a quarter of each head rotated. */
function describeQwenHybrid(config: ConfigReader): Differences {
  return {
    headDim: 256,
    norm: { weightOffset: 1 },
    bias: readAttentionBias(config),
    headNorm: { span: 'head', query: 'q_norm', key: 'k_norm' },
    gate: 'beside queries',
    rope: rope(config, { partial: 0.25 }),
    extras: [/^mtp\./],
  }
}

function describeDelta(
  parts: MixerParts,
  sizes: DeltaSizes,
  inputs: (parts: MixerParts, sizes: DeltaSizes) => DeltaProjections,
): Delta {
  const { keyHeads, valueHeads, keyDim, valueDim, kernel } = sizes
  const { linear, makeNorm, name, activation } = parts
  const channels = 2 * keyHeads * keyDim + valueHeads * valueDim
  return {
    kind: 'delta',
    keyHeads,
    valueHeads,
    keyDim,
    valueDim,
    projections: inputs(parts, sizes),
    convolution: {
      weights: [{ name: name('linear_attn.conv1d.weight'), channels }],
      bias: null,
      size: kernel,
    },
    activation,
    decay: { rate: name('linear_attn.A_log'), bias: name('linear_attn.dt_bias') },
    betaScale: 1,
    norm: makeNorm(name('linear_attn.norm'), { size: valueDim, weightOffset: 0 }),
    output: linear('linear_attn.out_proj', valueHeads * valueDim, parts.sizes.hidden),
  }
}

/** Qwen 3.5: all queries, keys and values from one product. */
function stackedInputs({ linear, sizes }: MixerParts, delta: DeltaSizes): DeltaProjections {
  const { keyHeads, valueHeads, keyDim, valueDim } = delta
  const values = valueHeads * valueDim
  return {
    layout: 'stacked',
    queriesKeysValues: [linear('linear_attn.in_proj_qkv', sizes.hidden, 2 * keyHeads * keyDim + values)],
    gate: linear('linear_attn.in_proj_z', sizes.hidden, values),
    beta: linear('linear_attn.in_proj_b', sizes.hidden, valueHeads),
    decay: linear('linear_attn.in_proj_a', sizes.hidden, valueHeads),
  }
}

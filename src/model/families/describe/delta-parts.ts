import type { ConfigReader } from './config-reader.js'
import type { Activation, Decay, GatedDeltaNet, GatedDeltaNetProjections, Norm } from './description.js'
import type { MixerParts } from './differences.js'
import type { Has } from './family.js'
import { readLayerKinds } from './layer-types.js'

/** Sizes of linear attention. */
export interface DeltaSizes {
  keyHeads: number
  valueHeads: number
  keyDim: number
  valueDim: number
  /** Tokens that the convolution sees. */
  kernel: number
}

/** @param usual the family's defaults */
export function readDeltaSizes(
  config: ConfigReader,
  usual: {
    keyHeads: number
    valueHeads: number
    keyDim: (heads: number) => number
    valueDim: (keyDim: number) => number
  },
): DeltaSizes {
  const keyHeads = config.count('linear_num_key_heads', usual.keyHeads)
  const valueHeads = config.count('linear_num_value_heads', usual.valueHeads)
  if (valueHeads % keyHeads !== 0) {
    throw config.contradicts(
      `has ${valueHeads} value heads of linear attention for ${keyHeads} key heads, expected a multiple`,
    )
  }
  const keyDim = config.count('linear_key_head_dim', usual.keyDim(keyHeads))
  return {
    keyHeads,
    valueHeads,
    keyDim,
    valueDim: config.count('linear_value_head_dim', usual.valueDim(keyDim)),
    kernel: config.length('linear_conv_kernel_dim', 4),
  }
}

/**
 * Whether each layer has linear attention.
 * @param usual the family's rule if there is no list
 */
export function readLinearLayers(config: ConfigReader, usual: (layer: number) => boolean): (layer: number) => boolean {
  const kindOf = readLayerKinds(config, 'layer_types', ['linear_attention', 'full_attention'], (layer) =>
    usual(layer) ? 'linear_attention' : 'full_attention',
  )
  return (layer) => kindOf(layer) === 'linear_attention'
}

/** What differs between the families with this mixer. */
interface DeltaForm {
  projections: GatedDeltaNetProjections
  /** Tensors of the convolution. */
  convolutions: string[]
  decay: Decay
  betaScale: number
  norm: Norm
  gateActivation: Activation
  /** Module of the output product. */
  output: string
}

export function describeDelta(parts: MixerParts, delta: DeltaSizes, form: DeltaForm): GatedDeltaNet {
  const { kernel, ...heads } = delta
  const { linear, activation, sizes } = parts
  const { convolutions, output, ...rest } = form
  const { keys, values } = countChannels(delta)
  return {
    kind: 'delta',
    ...heads,
    ...rest,
    convolution: { channels: 2 * keys + values, weights: convolutions, bias: null, size: kernel },
    activation,
    output: linear(output, heads.valueHeads * heads.valueDim, sizes.hidden),
  }
}

/** The usual decay, with one rate and one bias per value head. */
export function describeDecay({ name }: MixerParts, { valueHeads }: DeltaSizes): Decay {
  return {
    rate: name('linear_attn.A_log'),
    rateShape: [valueHeads],
    bias: name('linear_attn.dt_bias'),
    perElement: false,
    bound: null,
  }
}

/**
 * Tensors of the convolution of queries, keys and values: one if the checkpoint joins them, otherwise three.
 * @param module the mixer, relative to the layer
 */
export function nameConvolutions({ name }: MixerParts, module: string, has: Has): string[] {
  const joined = name(`${module}.conv1d.weight`)
  if (has(joined)) return [joined]
  return ['q', 'k', 'v'].map((which) => name(`${module}.${which}_conv1d.weight`))
}

/** Widths of all queries (or all keys) and of all values. */
export function countChannels({ keyHeads, valueHeads, keyDim, valueDim }: DeltaSizes): {
  keys: number
  values: number
} {
  return { keys: keyHeads * keyDim, values: valueHeads * valueDim }
}

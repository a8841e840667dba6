import type { ConfigReader } from './config-reader.js'
import type { Activation, Convolution, Mamba, Mamba2 } from './description.js'
import type { Differences, MixerParts } from './differences.js'
import type { Has } from './family.js'

/** Keys about the initial time steps, which training has changed. */
export const TIME_STEP_KEYS = ['time_step_rank', 'time_step_min', 'time_step_max', 'time_step_floor']

/** Keys about initial weights. */
export const FIRST_TRAINED_KEYS = [
  ...TIME_STEP_KEYS,
  'time_step_init_scheme',
  'time_step_scale',
  'rescale_prenorm_residual',
]

/** Sizes of Mamba-2's mixer. */
export interface Mamba2Sizes {
  heads: number
  headDim: number
  groups: number
  stateSize: number
  /** Tokens that the convolution sees. */
  kernel: number
  hasConvolutionBias: boolean
}

/** Config key of a size, and the family's default. */
type Place<T> = [key: string, otherwise: T]

/** @param headDim a head's size, given their number */
export function readMamba2Sizes(
  config: ConfigReader,
  places: {
    heads: Place<number>
    groups: Place<number>
    stateSize: Place<number>
    kernel: Place<number>
    convolutionBias: Place<boolean>
  },
  headDim: (heads: number) => number,
): Mamba2Sizes {
  const heads = config.count(...places.heads)
  const groups = config.count(...places.groups)
  if (heads % groups !== 0) {
    throw config.refuse(places.groups[0], `a number that divides the ${heads} heads (${places.heads[0]})`)
  }
  return {
    heads,
    headDim: headDim(heads),
    groups,
    stateSize: config.count(...places.stateSize),
    kernel: config.length(...places.kernel),
    hasConvolutionBias: config.flag(...places.convolutionBias),
  }
}

/** Sizes by the keys of Bamba, Granite 4 and Falcon H1. @param width of all heads */
export function readBambaSizes(config: ConfigReader, width: number): Mamba2Sizes {
  config.ignore('mamba_chunk_size')
  return readMamba2Sizes(
    config,
    {
      heads: ['mamba_n_heads', 128],
      groups: ['mamba_n_groups', 1],
      stateSize: ['mamba_d_state', 256],
      kernel: ['mamba_d_conv', 4],
      convolutionBias: ['mamba_conv_bias', true],
    },
    (heads) => {
      const size = config.raw('mamba_d_head') === 'auto' ? width / heads : undefined
      const headDim = size ?? config.count('mamba_d_head', width / heads)
      if (headDim * heads === width) return headDim
      throw config.refuse('mamba_d_head', `${width} / ${heads}, the width by the number of heads`)
    },
  )
}

/** The range of time steps. It may contain Infinity, which transformers 5 writes as an object. */
export function readTimeStepLimit(config: ConfigReader): { least: number; most: number } {
  const limit = config.raw('time_step_limit') ?? [0, Infinity]
  const bounds = Array.isArray(limit) ? limit.map(readFloat) : []
  const [least, most] = bounds
  if (bounds.length !== 2 || !(least! >= 0 && most! > least!)) {
    throw config.refuse('time_step_limit', 'two numbers of at least 0, the second the larger')
  }
  return { least: least!, most: most! }
}

function readFloat(value: unknown): number {
  if (typeof value === 'number') return Math.fround(value)
  const { __float__: float } = (value ?? {}) as { __float__?: unknown }
  return float === 'Infinity' ? Infinity : Number.NaN
}

/** What else differs between the families with this mixer. */
interface Mamba2Form {
  /** Module of the layer. */
  module: string
  inputBias: boolean
  outputBias: boolean
  activation: Activation
  timeStep: { least: number; most: number }
  /** Epsilon and place of the norm before the output product; null without one. */
  norm: { epsilon: number; beforeGate: boolean } | null
  inputScales?: number[]
}

export function describeMamba2(
  { name, linear, sizes }: MixerParts,
  { hasConvolutionBias, kernel, ...mamba }: Mamba2Sizes,
  { module, inputBias, outputBias, activation, timeStep, norm, inputScales = [1, 1, 1, 1, 1] }: Mamba2Form,
): Mamba2 {
  const { heads, headDim, groups, stateSize } = mamba
  const own = (tensor: string) => name(`${module}.${tensor}`)
  const width = heads * headDim
  const channels = width + 2 * groups * stateSize
  return {
    kind: 'mamba2',
    ...mamba,
    inputs: linear(`${module}.in_proj`, sizes.hidden, width + channels + heads, inputBias),
    inputScales,
    convolution: describeConvolution(own, channels, kernel, hasConvolutionBias),
    activation,
    timeStep: { bias: own('dt_bias'), ...timeStep },
    rate: own('A_log'),
    skip: own('D'),
    norm: norm === null ? null : { weight: own('norm.weight'), groups, ...norm },
    output: linear(`${module}.out_proj`, width, sizes.hidden, outputBias),
  }
}

function describeConvolution(
  own: (tensor: string) => string,
  channels: number,
  size: number,
  hasBias: boolean,
): Convolution {
  return { channels, weights: [own('conv1d.weight')], bias: hasBias ? own('conv1d.bias') : null, size }
}

/** Mamba-2 as in Bamba and Granite 4, in the module `mamba`. */
export function readBambaMixer(config: ConfigReader, usualEpsilon: number): (parts: MixerParts) => Mamba2 {
  const width = config.length('mamba_expand', 2) * config.count('hidden_size')
  const sizes = readBambaSizes(config, width)
  const hasBias = config.flag('mamba_proj_bias', false)
  const timeStep = readTimeStepLimit(config)
  const epsilon = config.number('rms_norm_eps', usualEpsilon)
  return (parts) =>
    describeMamba2(parts, sizes, {
      module: 'mamba',
      inputBias: hasBias,
      outputBias: hasBias,
      activation: parts.activation,
      timeStep,
      norm: { epsilon, beforeGate: false },
    })
}

export interface MambaSizes {
  channels: number
  stateSize: number
  kernel: number
  hasConvolutionBias: boolean
  /** Rank of the time steps. */
  rank: number
}

/** The rank of time steps: `auto` is a sixteenth of the hidden size. */
export function readRank(config: ConfigReader, key: string, hidden: number): number {
  const usual = Math.ceil(hidden / 16)
  return config.raw(key) === 'auto' ? usual : config.count(key, usual)
}

export function describeMamba(
  { name, linear, activation, sizes }: MixerParts,
  { channels, stateSize, kernel, hasConvolutionBias, rank }: MambaSizes,
  { module, hasBias, norms }: { module: string; hasBias: boolean; norms: Mamba['norms'] },
): Mamba {
  const own = (tensor: string) => name(`${module}.${tensor}`)
  return {
    kind: 'mamba',
    channels,
    stateSize,
    inputs: linear(`${module}.in_proj`, sizes.hidden, 2 * channels, hasBias),
    convolution: describeConvolution(own, channels, kernel, hasConvolutionBias),
    activation,
    parameters: linear(`${module}.x_proj`, channels, rank + 2 * stateSize),
    norms,
    timeStep: linear(`${module}.dt_proj`, rank, channels, true),
    rate: own('A_log'),
    skip: own('D'),
    output: linear(`${module}.out_proj`, channels, sizes.hidden, hasBias),
  }
}

/** Layers of one norm and one mixer, under the names of Mamba's authors. */
export function describePureMamba(has: Has): Differences {
  const isOld = has('backbone.embedding.weight') || has('embedding.weight')
  return {
    names: { embedding: isOld ? 'embedding' : 'embeddings', finalNorm: 'norm_f' },
    keys: { heads: null },
    norm: { key: 'layer_norm_epsilon', epsilon: 1e-5 },
    norms: { beforeMixer: 'norm', beforeMlp: null },
    parts: () => ({ mixer: true, mlp: false }),
  }
}

/** Names shared by Bamba, Falcon H1 and Jamba. */
export function describeBambaLayer(): Differences {
  return {
    kvHeads: 8,
    names: { finalNorm: 'final_layernorm', mlp: 'feed_forward' },
    norm: { epsilon: 1e-5 },
    norms: { beforeMlp: 'pre_ff_layernorm' },
  }
}

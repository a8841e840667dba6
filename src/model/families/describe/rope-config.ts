import type { ConfigReader } from './config-reader.js'
import type { Rope, RopeFrequencies } from './description.js'

export interface RopeOptions {
  headDim: number
  /** Default base of the frequencies. */
  theta?: number
  /** Base of the frequencies, whatever the config states. */
  ownTheta?: number
  /** Default fraction of a head that is rotated; if omitted, the family always rotates whole heads. */
  partial?: number
  /** Number of rotated elements, if the family states it. */
  dimensions?: number
  interleaved?: boolean
  /** Which rope of a nested `rope_parameters` to read. */
  layerType?: 'full_attention' | 'sliding_attention'
  /** The base at the top may differ from the one in `rope_parameters`, which takes precedence. */
  hasOwnTheta?: boolean
  /** Keys at the top level of an old config. */
  keys?: { theta?: string; partial?: string }
  /** Whether an old config's `rope_scaling` applies to this rope; true if omitted. */
  scaled?: boolean
  /** Old configs call LongRoPE `yarn`. */
  yarnIsLongrope?: boolean
  /** Original length if the top level of the config omits it; overrides the one in the scaling's settings. */
  originalPositions?: number
  /** `dynamic` may state an `alpha`, which makes the base constant. */
  knowsAlpha?: boolean
  /** Each set of LongRoPE states its own factor on cosines and sines (`short_mscale`, `long_mscale`). */
  hasFactors?: boolean
  /** Default settings. */
  usual?: Record<string, unknown>
  /** Keys of the settings that the family reads elsewhere. */
  others?: string[]
  /** Accepts the type `mrope`, three positions for images; for text these are equal, as in the default type. */
  knowsMrope?: boolean
}

/** Other names of transformers' rope types. */
const OTHER_NAMES = new Map([
  ['su', 'longrope'],
  ['deepseek_yarn', 'yarn'],
])

/** Keys that some rope types read and the others ignore. */
const ROPE_KEYS = [
  'attention_factor',
  'beta_fast',
  'beta_slow',
  'factor',
  'high_freq_factor',
  'low_freq_factor',
  'long_factor',
  'mscale',
  'mscale_all_dim',
  'original_max_position_embeddings',
  'short_factor',
  'truncate',
]

/** Also keys about positions of images, which do not matter for text, and about YaRN's training. */
const HARMLESS_KEYS = [...ROPE_KEYS, 'mrope_section', 'mrope_interleaved', 'finetuned']

/**
 * Reads the rotary embedding of a config in either spelling: `rope_parameters`, or `rope_theta`,
 * `partial_rotary_factor` and `rope_scaling` at the top (transformers before version 5).
 * @throws LayerpruneError if the type is not known or the two spellings disagree
 */
export function readRope(config: ConfigReader, options: RopeOptions): Rope {
  const { headDim, layerType, scaled = true } = options
  const parameters = config.object('rope_parameters')
  const scaling = config.object('rope_scaling')
  const stated = parameters ? ofLayerType(config, parameters, layerType) : scaled ? scaling : undefined
  const settings = stated ?? (options.usual && config.assume('rope_parameters', options.usual))
  if (settings && parameters && scaling && scaled) assertSameScaling(config, settings, scaling)
  if (layerType !== undefined && config.has('partial_rotary_factor')) {
    throw config.refuse('partial_rotary_factor', 'nothing: rope_parameters states it for each type of layer')
  }
  const theta = readTheta(config, settings, options)
  const isProportional = settings?.raw('rope_type') === 'proportional'
  const part = isProportional ? 1 : readPartial(config, settings, options)
  const dimensions = options.dimensions ?? Math.floor(headDim * part)
  if (dimensions < 2 || dimensions > headDim || dimensions % 2 !== 0) {
    throw config.contradicts(
      `rotates ${dimensions} elements of heads of ${headDim}, expected an even number of 2 to ${headDim}`,
    )
  }
  const scale = readScaling(config, settings, { dimensions, theta }, options)
  assertFinite(config, scale)
  settings?.assertAllRead('rope', (key) => [...HARMLESS_KEYS, ...(options.others ?? [])].includes(key))
  return { dimensions, interleaved: options.interleaved ?? false, ...scale }
}

/** The rope of one type of layer, if `rope_parameters` nests them. */
function ofLayerType(
  config: ConfigReader,
  parameters: ConfigReader,
  layerType: RopeOptions['layerType'],
): ConfigReader | undefined {
  if (layerType === undefined) return parameters
  if (parameters.keys().some((key) => key !== 'full_attention' && key !== 'sliding_attention')) {
    throw config.refuse('rope_parameters', 'nothing but full_attention and sliding_attention in it')
  }
  return parameters.object(layerType)
}

function readTheta(config: ConfigReader, settings: ConfigReader | undefined, options: RopeOptions): number {
  const key = options.keys?.theta ?? 'rope_theta'
  const stated = settings?.positive('rope_theta', undefined)
  const top = config.positive(key, undefined)
  if (
    stated !== undefined &&
    top !== undefined &&
    stated !== top &&
    options.layerType === undefined &&
    !options.hasOwnTheta
  ) {
    throw config.refuse(key, `${stated} as in rope_parameters`)
  }
  return options.ownTheta ?? stated ?? top ?? options.theta ?? 10_000
}

/** Fraction of a head that is rotated. */
function readPartial(config: ConfigReader, settings: ConfigReader | undefined, options: RopeOptions): number {
  const key = options.keys?.partial ?? 'partial_rotary_factor'
  const read = (reader: ConfigReader | undefined, key: string): number | undefined => {
    const partial = reader?.positive(key, undefined)
    if (options.partial !== undefined || partial === undefined || partial === 1) return partial
    throw reader!.refuse(key, '1, for this family rotates whole heads')
  }
  return read(settings, 'partial_rotary_factor') ?? read(config, key) ?? options.partial ?? 1
}

function assertSameScaling(config: ConfigReader, settings: ConfigReader, scaling: ConfigReader): void {
  const type = (from: ConfigReader) => from.text('rope_type', undefined) ?? from.text('type', 'default')
  const keys = ROPE_KEYS.filter((key) => scaling.has(key))
  const differs = keys.find((key) => JSON.stringify(scaling.raw(key)) !== JSON.stringify(settings.raw(key)))
  if (type(settings) !== type(scaling) || differs !== undefined) {
    throw config.refuse('rope_scaling', 'the same as rope_parameters')
  }
}

/** Some settings divide by zero, such as a base of 1 with YaRN. */
function assertFinite(config: ConfigReader, { attentionFactor, frequencies }: Scaling): void {
  const values =
    frequencies.kind === 'fixed'
      ? frequencies.perPair
      : frequencies.kind === 'two sets'
        ? [...frequencies.short, ...frequencies.long]
        : []
  if ([attentionFactor, ...values].every(Number.isFinite)) return
  throw config.contradicts('has rope settings that give no finite frequencies')
}

interface Base {
  dimensions: number
  theta: number
}

type Scaling = Pick<Rope, 'attentionFactor' | 'frequencies'>

function readScaling(
  config: ConfigReader,
  settings: ConfigReader | undefined,
  base: Base,
  { yarnIsLongrope, knowsAlpha, knowsMrope, originalPositions, hasFactors }: RopeOptions,
): Scaling {
  const stated = settings?.text('rope_type', undefined) ?? settings?.text('type', undefined) ?? 'default'
  const type = yarnIsLongrope && stated === 'yarn' ? 'longrope' : (OTHER_NAMES.get(stated) ?? stated)
  settings?.ignore('type')
  const pairs = Array.from({ length: base.dimensions / 2 }, (_, pair) => pair)
  const plain = pairs.map((pair) => frequency(base, pair))
  const fixed = (perPair: number[], attentionFactor = 1): Scaling => ({
    attentionFactor,
    frequencies: { kind: 'fixed', perPair },
  })
  if (settings === undefined || type === 'default' || (knowsMrope && type === 'mrope')) return fixed(plain)
  const original = () => readOriginalPositions(config, settings, originalPositions)
  switch (type) {
    case 'linear': {
      const factor = settings.positive('factor')
      return fixed(plain.map((value) => Math.fround(value / factor)))
    }
    case 'proportional':
      return fixed(readProportional(settings, plain))
    case 'dynamic':
      return { attentionFactor: 1, frequencies: readGrowingBase(config, settings, base, knowsAlpha) }
    case 'llama3':
      return fixed(readLlama3(settings, plain, original()))
    case 'yarn':
      return readYarn(config, settings, base, plain, original())
    case 'longrope':
      return readLongrope(config, settings, base, original(), hasFactors)
    default:
      throw settings.refuse(
        settings.has('rope_type') ? 'rope_type' : 'type',
        'default, linear, proportional, dynamic, llama3, yarn or longrope',
      )
  }
}

function frequency({ dimensions, theta }: Base, pair: number): number {
  return Math.fround(1 / Math.fround(theta ** Math.fround((2 * pair) / dimensions)))
}

/** Length that scaling starts from: the top of the config first, as transformers has it for Phi 3. */
function readOriginalPositions(config: ConfigReader, settings: ConfigReader, usual?: number): number {
  settings.ignore('original_max_position_embeddings')
  return (
    config.length('original_max_position_embeddings', usual) ??
    settings.length('original_max_position_embeddings', undefined) ??
    config.length('max_position_embeddings')
  )
}

/** Dynamic NTK; Hunyuan's `alpha` sets the base once and for all. */
function readGrowingBase(
  config: ConfigReader,
  settings: ConfigReader,
  base: Base,
  knowsAlpha = false,
): RopeFrequencies {
  const { dimensions, theta } = base
  const alpha = knowsAlpha ? settings.number('alpha', undefined) : undefined
  const exponent = dimensions / (dimensions - 2)
  if (alpha) {
    const perPair = Array.from({ length: dimensions / 2 }, (_, pair) =>
      frequency({ dimensions, theta: theta * alpha ** exponent }, pair),
    )
    return { kind: 'fixed', perPair }
  }
  if (dimensions === 2) throw settings.refuse('rope_type', 'another type for a single pair of elements')
  return {
    kind: 'growing base',
    base: theta,
    factor: settings.positive('factor'),
    positions: config.length('max_position_embeddings'),
  }
}

/** Rotates only the first pairs of a head, with the frequencies they would have if all were rotated. */
function readProportional(settings: ConfigReader, plain: number[]): number[] {
  const rotated = Math.floor(settings.positive('partial_rotary_factor', 1) * plain.length)
  const factor = settings.positive('factor', 1)
  return plain.map((value, pair) => (pair < rotated ? Math.fround(value / factor) : 0))
}

/** Stretches long waves by the factor, keeps short ones and interpolates those between (Llama 3.1). */
function readLlama3(settings: ConfigReader, plain: number[], original: number): number[] {
  const factor = settings.positive('factor')
  const low = settings.positive('low_freq_factor')
  const high = settings.positive('high_freq_factor')
  return plain.map((value) => {
    const wavelength = (2 * Math.PI) / value
    if (wavelength < original / high) return value
    if (wavelength > original / low) return value / factor
    const smooth = (original / wavelength - low) / (high - low)
    return ((1 - smooth) * value) / factor + smooth * value
  })
}

/** YaRN (Peng et al. 2023, arXiv 2309.00071), with transformers' options. */
function readYarn(
  config: ConfigReader,
  settings: ConfigReader,
  base: Base,
  plain: number[],
  original: number,
): Scaling {
  const { dimensions, theta } = base
  const factor = settings.has('factor')
    ? settings.positive('factor')
    : config.length('max_position_embeddings') / original
  const rotationsAt = (rotations: number) =>
    (dimensions * Math.log(original / (rotations * 2 * Math.PI))) / (2 * Math.log(theta))
  const truncate = settings.flag('truncate', true)
  const first = rotationsAt(settings.number('beta_fast', 0) || 32)
  const last = rotationsAt(settings.number('beta_slow', 0) || 1)
  const low = Math.max(truncate ? Math.floor(first) : first, 0)
  let high = Math.min(truncate ? Math.ceil(last) : last, dimensions - 1)
  if (low === high) high += 0.001
  const perPair = plain.map((value, pair) => {
    const ramp = Math.min(Math.max((pair - low) / (high - low), 0), 1)
    return (value / factor) * ramp + value * (1 - ramp)
  })
  const mscale = settings.number('mscale', 0)
  const allDimensions = settings.number('mscale_all_dim', 0)
  const inferred =
    mscale && allDimensions
      ? yarnMagnitude(factor, mscale) / yarnMagnitude(factor, allDimensions)
      : yarnMagnitude(factor, 1)
  return {
    attentionFactor: settings.number('attention_factor', inferred),
    frequencies: { kind: 'fixed', perPair },
  }
}

/** YaRN's factor on queries and on keys if the context is extended by `factor`. */
export function yarnMagnitude(factor: number, weight: number): number {
  return factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1
}

/** LongRoPE (Ding et al. 2024, arXiv 2402.13753) as in Phi 3. */
function readLongrope(
  config: ConfigReader,
  settings: ConfigReader,
  base: Base,
  original: number,
  hasFactors = false,
): Scaling {
  const read = (key: string) => {
    const factors = settings.numbers(key)
    if (factors.length !== base.dimensions / 2) {
      throw settings.refuse(key, `${base.dimensions / 2} numbers, one for each pair of rotated elements`)
    }
    return factors.map((factor, pair) =>
      Math.fround(1 / Math.fround(factor * base.theta ** ((2 * pair) / base.dimensions))),
    )
  }
  const frequencies = {
    kind: 'two sets' as const,
    short: read('short_factor'),
    long: read('long_factor'),
    longestShort: original,
  }
  if (hasFactors) {
    const factors = { short: settings.number('short_mscale'), long: settings.number('long_mscale') }
    return { attentionFactor: 1, frequencies: { ...frequencies, factors } }
  }
  const factor = settings.number('factor', undefined) ?? config.length('max_position_embeddings') / original
  const inferred = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original))
  return { attentionFactor: settings.number('attention_factor', inferred), frequencies }
}

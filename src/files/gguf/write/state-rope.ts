import { numberOf, ropeSettings, type Source } from './source.js'
import { count, optional, real, type Statements, text } from './written-value.js'

/** A small tensor of float32 that says how to compute. */
export interface FactorTensor {
  name: string
  values: Float32Array
}

export interface RopeStatement {
  statements: Statements
  factors: FactorTensor[]
  /** Why a file cannot say it; undefined if it can. */
  problem?: string
}

/** The rotary embedding of a config in the words of a file: the inverse of `readRopeParameters`. */
export function stateRope(source: Source): RopeStatement {
  const settings = ropeSettings(source)
  const base = numberOf({ config: settings }, 'rope_theta')
  const statements = { 'rope.freq_base': optional(base, real) }
  const read = (...keys: string[]) => numberOf({ config: settings }, ...keys)
  switch (settings.rope_type) {
    case 'default':
    case 'mrope':
      return { statements, factors: [] }
    case 'linear':
      return {
        statements: {
          'rope.scaling.type': text('linear'),
          'rope.scaling.factor': optional(read('factor'), real),
          ...statements,
        },
        factors: [],
      }
    case 'yarn':
      return { statements: { ...stateYarn(source, read), ...statements }, factors: [] }
    case 'llama3':
      return { statements, factors: [{ name: 'rope_freqs.weight', values: llama3Factors(source, base, read) }] }
    case 'su':
    case 'longrope':
      return stateLongrope(source, settings, statements)
    case 'dynamic': {
      const alpha = read('alpha')
      if (!alpha) return { statements, factors: [], problem: dynamicProblem }
      const exponent = source.rotated / (source.rotated - 2)
      return { statements: { 'rope.freq_base': real((base ?? USUAL_BASE) * alpha ** exponent) }, factors: [] }
    }
    default:
      return { statements, factors: [], problem: `the rope type ${String(settings.rope_type)} has no name in it` }
  }
}

const USUAL_BASE = 10_000
const dynamicProblem = 'llama.cpp has no rope whose base grows with the text (rope type dynamic)'

type Read = (...keys: string[]) => number | undefined

function stateYarn({ positions }: Source, read: Read): Statements {
  const original = read('original_max_position_embeddings') ?? positions
  return {
    'rope.scaling.type': text('yarn'),
    'rope.scaling.factor': optional(read('factor'), real),
    'rope.scaling.original_context_length': optional(original, count),
    'rope.scaling.yarn_attn_factor': optional(read('attention_factor', 'attn_factor'), real),
    'rope.scaling.yarn_beta_fast': optional(read('beta_fast'), real),
    'rope.scaling.yarn_beta_slow': optional(read('beta_slow'), real),
  }
}

/** Factors on the wavelengths of pairs, as Llama 3.1 stretches them. */
function llama3Factors({ rotated }: Source, base = USUAL_BASE, read: Read): Float32Array {
  const factor = read('factor') ?? 8
  const original = read('original_max_position_embeddings') ?? 8192
  const [low, high] = [read('low_freq_factor') ?? 1, read('high_freq_factor') ?? 4]
  return Float32Array.from({ length: rotated / 2 }, (_, pair) => {
    const frequency = Math.fround(1 / Math.fround(base ** Math.fround((2 * pair) / rotated)))
    const wavelength = (2 * Math.PI) / frequency
    if (wavelength < original / high) return 1
    if (wavelength > original / low) return factor
    const smooth = (original / wavelength - low) / (high - low)
    return 1 / ((1 - smooth) / factor + smooth)
  })
}

function stateLongrope(source: Source, settings: Record<string, unknown>, base: Statements): RopeStatement {
  const { positions } = source
  const original =
    numberOf(source, 'original_max_position_embeddings') ??
    numberOf({ config: settings }, 'original_max_position_embeddings') ??
    positions
  const sets = [settings.long_factor, settings.short_factor]
  if (original === null || positions === null || !sets.every(isNumbers)) {
    return { statements: base, factors: [], problem: 'its longrope states no two lists of factors' }
  }
  const scale = numberOf({ config: settings }, 'factor') ?? positions / original
  const usual = scale <= 1 ? 1 : Math.sqrt(1 + Math.log(scale) / Math.log(original))
  const attention = numberOf({ config: settings }, 'attention_factor') ?? usual
  if (attention === 1 && `${sets[0]}` === `${sets[1]}`) {
    return {
      statements: base,
      factors: [{ name: 'rope_freqs.weight', values: Float32Array.from(sets[0] as number[]) }],
    }
  }
  const names = ['rope_factors_long.weight', 'rope_factors_short.weight']
  return {
    statements: {
      ...base,
      'rope.scaling.attn_factor': real(attention),
      'rope.scaling.original_context_length': count(original),
    },
    factors: sets.map((values, index) => ({ name: names[index]!, values: Float32Array.from(values as number[]) })),
  }
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'number')
}

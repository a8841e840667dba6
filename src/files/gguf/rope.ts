import { closeSync, openSync, readSync } from 'node:fs'
import type { Facts } from './architecture.js'
import { damagedGguf } from './header.js'
import type { Metadata } from './metadata.js'

/** llama.cpp's default. */
const USUAL_BASE = 10_000
const MOST_FACTORS = 4096

type RopeFacts = Pick<Facts, 'metadata' | 'headDim' | 'positions' | 'tensor'>

/**
 * The rotary embedding of a file as `rope_parameters` of a config.json; factor tensors become LongRoPE's.
 * @throws LayerpruneError if the scaling is not known
 */
export function readRopeParameters(facts: RopeFacts): Record<string, unknown> {
  const { metadata } = facts
  const dimensions = metadata.number('rope.dimension_count') ?? facts.headDim
  return {
    rope_theta: metadata.number('rope.freq_base') ?? USUAL_BASE,
    // the family rounds down
    ...(dimensions !== facts.headDim && { partial_rotary_factor: (dimensions + 0.5) / facts.headDim }),
    ...readScaling(facts),
  }
}

function readScaling(facts: RopeFacts): Record<string, unknown> {
  const { metadata } = facts
  metadata.ignore('rope.scaling.finetuned')
  const type = metadata.text('rope.scaling.type') ?? (metadata.number('rope.scale_linear') ? 'linear' : 'none')
  const factor = metadata.number('rope.scaling.factor') ?? metadata.number('rope.scale_linear')
  const original = metadata.number('rope.scaling.original_context_length') ?? facts.positions
  const short = readFactors(facts, 'rope_freqs.weight') ?? readFactors(facts, 'rope_factors_short.weight')
  if (short !== undefined) {
    if (type !== 'none' && type !== 'longrope') {
      throw metadata.refuse('rope.scaling.type', 'none or longrope, for the file has factors on wavelengths')
    }
    return {
      rope_type: 'longrope',
      short_factor: short,
      long_factor: readFactors(facts, 'rope_factors_long.weight') ?? short,
      attention_factor: metadata.number('rope.scaling.attn_factor') ?? 1,
      original_max_position_embeddings: original,
    }
  }
  switch (type) {
    case 'none':
      metadata.ignore('rope.scaling.factor', 'rope.scaling.original_context_length')
      return { rope_type: 'default' }
    case 'linear':
      return { rope_type: 'linear', factor: metadata.need('rope.scaling.factor', factor) }
    case 'yarn':
      return readYarn(metadata, metadata.need('rope.scaling.factor', factor), original)
    default:
      throw metadata.refuse('rope.scaling.type', 'none, linear, yarn or longrope')
  }
}

function readYarn(metadata: Metadata, factor: number, original: number): Record<string, unknown> {
  const stated = {
    attention_factor: metadata.number('rope.scaling.yarn_attn_factor'),
    beta_fast: metadata.number('rope.scaling.yarn_beta_fast'),
    beta_slow: metadata.number('rope.scaling.yarn_beta_slow'),
  }
  const part = metadata.number('rope.scaling.yarn_ext_factor') ?? 1
  if (part !== 1) throw metadata.refuse('rope.scaling.yarn_ext_factor', '1')
  return {
    rope_type: 'yarn',
    factor,
    original_max_position_embeddings: original,
    ...Object.fromEntries(Object.entries(stated).filter(([, value]) => value !== undefined)),
  }
}

/** A small vector of float32; undefined if the file has none. */
function readFactors({ tensor }: RopeFacts, name: string): number[] | undefined {
  const found = tensor(name)
  if (found === undefined) return undefined
  const { file, type, shape, offsetBytes, sizeBytes, values } = found
  if (values !== undefined) return [...values]
  if (type.name !== 'F32' || shape.length !== 1 || shape[0]! > MOST_FACTORS) {
    throw damagedGguf(
      `${file}: ${name} is ${type.name} [${shape.join(', ')}], expected at most ${MOST_FACTORS} numbers in F32`,
    )
  }
  const bytes = Buffer.alloc(sizeBytes)
  const descriptor = openSync(file, 'r')
  try {
    readSync(descriptor, bytes, 0, sizeBytes, offsetBytes)
  } finally {
    closeSync(descriptor)
  }
  return Array.from({ length: shape[0]! }, (_, index) => bytes.readFloatLE(4 * index))
}

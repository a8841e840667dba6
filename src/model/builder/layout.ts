import { LayerpruneError } from '../../base/errors.js'
import type { ModelConfig } from '../../files/checkpoint/config.js'
import type { TensorLocation } from '../../files/checkpoint/safetensors.js'
import { ConfigReader, type CountLimits } from '../families/describe/config-reader.js'
import { LLAMA_NAMES } from '../families/describe/differences.js'
import type { Family } from '../families/describe/family.js'

export type Tensors = ReadonlyMap<string, TensorLocation>

/** Where the tensors of a decoder are among those of its checkpoint. */
export interface DecoderLayout {
  /** What the names of the decoder's own tensors start with, as `model.`; empty if it was saved without its head. */
  prefix: string
  /** Whether the checkpoint was saved without the head. */
  isBare: boolean
  /** What the name of the head's module may start with, the likeliest first. */
  headPrefixes: string[]
  /** Whether a tensor belongs to the decoder, rather than to a tower for images or sound beside it. */
  owns: (name: string) => boolean
}

/** Limits that no count of a matching config exceeds. */
export function limitCounts(tensors: Tensors): CountLimits {
  let longestAxis = 0
  for (const { shape } of tensors.values()) longestAxis = Math.max(longestAxis, ...shape)
  return { longestAxis, tensors: tensors.size }
}

/**
 * Finds the decoder by the names of the tensors.
 * @throws LayerpruneError if a model with other parts has no decoder, or more than one
 */
export function findLayout(config: ModelConfig, family: Family, tensors: Tensors): DecoderLayout {
  const prefixes = [family.prefix ?? 'model.'].flat()
  const names = [...tensors.keys()]
  const usual = prefixes.find((prefix) => names.some((name) => name.startsWith(prefix))) ?? prefixes[0]!
  if (config.wrapper !== null) return findWrapped(config, family, tensors, usual)
  const isBare = !names.some((name) => name.startsWith(usual))
  return { prefix: isBare ? '' : usual, isBare, headPrefixes: [''], owns: () => true }
}

/**
 * Inside another model a decoder has its usual names behind `language_model.` or the like, as transformers 4 and most
 * published checkpoints have it, or its names without `model.` behind `model.language_model.`: the prefix is what
 * comes before the embedding table, if layers are there too.
 */
function findWrapped(config: ModelConfig, family: Family, tensors: Tensors, usual: string): DecoderLayout {
  const reader = new ConfigReader(config.raw, limitCounts(tensors), config.origin)
  const { decoderPrefix = '', names, head } = family.describe(reader, (name) => tensors.has(name))
  const { embedding, layers } = { ...LLAMA_NAMES, ...names }
  const table = `${decoderPrefix}${embedding}.weight`
  const allNames = [...tensors.keys()]
  const prefixes = allNames
    .filter((name) => name === table || name.endsWith(`.${table}`))
    .map((name) => name.slice(0, name.length - table.length))
    .filter((prefix) => allNames.some((name) => name.startsWith(`${prefix}${decoderPrefix}${layers}.0.`)))
  const [prefix, another] = prefixes
  if (prefix === undefined || another !== undefined) {
    const found = prefixes.map((prefix) => `${prefix}${table}`).join(' and ')
    throw new LayerpruneError(
      `the checkpoint has ${found || 'no tensor'} for the decoder of ${config.wrapper}, expected one ${table} beside ${decoderPrefix}${layers}.0`,
      { hint: 'take config.json and all weights from the same model' },
    )
  }
  const outer = prefix === usual || prefix.endsWith(`.${usual}`) ? prefix.slice(0, -usual.length) : ''
  const parents = ['model', usual.slice(0, -1)]
  const headPrefixes = [...new Set([outer, ''])]
  const starts = [
    prefix === '' ? `${decoderPrefix}${layers}.` : prefix,
    ...headPrefixes.map((prefix) => `${prefix}${head?.name ?? 'lm_head'}.`),
  ]
  return {
    prefix,
    isBare:
      isBareClass(config.raw.architectures) || !prefix.split('.').some((part) => parents.includes(part)),
    headPrefixes,
    owns: (name) => starts.some((start) => name.startsWith(start)),
  }
}

/** Whether the class that saved a model is one without a head, as `LlavaModel`. */
function isBareClass(architectures: unknown): boolean {
  return (
    Array.isArray(architectures) &&
    architectures.length > 0 &&
    architectures.every((name) => /Model$/.test(name))
  )
}

import { LayerpruneError } from '../../base/errors.js'
import type { ModelConfig } from '../../files/checkpoint/config.js'
import type { TensorLocation } from '../../files/checkpoint/safetensors.js'
import { ConfigReader, type CountLimits } from '../families/describe/config-reader.js'
import { LLAMA_NAMES } from '../families/describe/differences.js'
import type { Family } from '../families/describe/family.js'

export type Tensors = ReadonlyMap<string, TensorLocation>

/** Where a checkpoint keeps the tensors of its decoder. */
export interface DecoderLayout {
  /** Prefix of the decoder's tensors, such as `model.`; empty if it was saved without its head. */
  prefix: string
  /** Whether the checkpoint was saved without the head. */
  isBare: boolean
  /** Possible prefixes of the head's module, the likeliest first. */
  headPrefixes: string[]
  /** Whether a tensor belongs to the decoder, and not to a vision or audio tower. */
  owns: (name: string) => boolean
}

/** Limits on the counts of a config that matches these tensors. */
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
 * A wrapped decoder has its usual names after a prefix such as `language_model.` (transformers 4 and most published
 * checkpoints), or its names without `model.` after `model.language_model.`. The prefix is what precedes the embedding
 * table, provided that layers have it too.
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
    isBare: isBareClass(config.raw.architectures) || !prefix.split('.').some((part) => parents.includes(part)),
    headPrefixes,
    owns: (name) => starts.some((start) => name.startsWith(start)),
  }
}

/** Whether the class that saved a model has no head, such as `LlavaModel`. */
function isBareClass(architectures: unknown): boolean {
  return Array.isArray(architectures) && architectures.length > 0 && architectures.every((name) => /Model$/.test(name))
}

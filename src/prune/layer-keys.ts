/** What configs say of layers by their number, and how it is said of the layers that stay. */

import type { KeptLayers } from './layer-numbers.js'

export type Section = Record<string, unknown>

/** What a key could not say of the layers that stay, or should be known to the user. */
export interface KeyOutcome {
  notes: string[]
  /** Why a layer that stays would be computed otherwise. */
  problems: string[]
}

const COUNTS = ['num_hidden_layers', 'n_layer', 'n_layers', 'num_layers']

/** Lists with an entry a layer; others of that length are cut as well, and said aloud. */
const PER_LAYER = new Set([
  'layer_types',
  'layers_block_type',
  'attention_layers',
  'mlp_layer_types',
  'no_rope_layers',
  'moe_layer_freq',
  'activation_sparsity_pattern',
])

/** Lists that are as long as the model has layers by chance at most. */
const NEVER_PER_LAYER = /^architectures$|_ids?$|^mtp_/

/** Lists of numbers of layers. */
const LAYER_NUMBERS = new Set([
  'mlp_only_layers',
  'moe_layers',
  'full_attn_idxs',
  'attn_layer_indices',
  'hybrid_layer_ids',
  'cross_attention_layers',
])

/** A number k such that the layers before k are of one kind and those from k on of another. */
const BOUNDARIES = [
  'max_window_layers',
  'first_k_dense_replace',
  'num_dense_layers',
  'num_hash_layers',
  'moe_layer_start_index',
]

/** A number that chooses layers by dividing their number. */
interface Period {
  key: string
  /** Key of the number that is left; the rule counts from 1 and nothing is left where there is none. */
  remainder?: { key: string; countsFrom: 0 | 1 }
  /** The rule holds only where this list is left out. */
  unless?: string
  /** Says for each layer that stays whether it is chosen, where the family has a way to. */
  spell?: (section: Section, chosen: boolean[]) => void
}

const PERIODS: Period[] = [
  {
    key: 'decoder_sparse_step',
    spell: (section, chosen) => {
      const listed = (section.mlp_only_layers ?? []) as number[]
      const dense = chosen.flatMap((isSparse, layer) => (isSparse && !listed.includes(layer) ? [] : [layer]))
      Object.assign(section, { decoder_sparse_step: 1, mlp_only_layers: dense })
    },
  },
  {
    key: 'no_rope_layer_interval',
    unless: 'no_rope_layers',
    spell: (section, chosen) => {
      section.no_rope_layers = chosen.map((isWithout) => (isWithout ? 0 : 1))
    },
  },
  {
    key: 'interleave_moe_layer_step',
    unless: 'moe_layers',
    spell: (section, chosen) => {
      section.moe_layers = chosen.flatMap((hasExperts, layer) => (hasExperts ? [layer] : []))
    },
  },
  { key: 'sliding_window_pattern', unless: 'layer_types' },
  { key: '_sliding_window_pattern', unless: 'layer_types' },
  { key: 'layer_switch', unless: 'layer_types' },
  { key: 'global_attn_every_n_layers', unless: 'layer_types' },
  { key: 'full_attention_interval', unless: 'layer_types' },
  { key: 'moe_layer_freq', remainder: { key: '', countsFrom: 0 }, unless: 'mlp_layer_types' },
  { key: 'moe_layer_interval' },
  { key: 'attn_layer_period', remainder: { key: 'attn_layer_offset', countsFrom: 0 } },
  { key: 'expert_layer_period', remainder: { key: 'expert_layer_offset', countsFrom: 0 } },
]

/** Defaults of families whose configs leave the number out. */
const DEFAULT_PERIODS: Record<string, Section> = {
  smollm3: { no_rope_layer_interval: 4 },
  llama4_text: { no_rope_layer_interval: 4 },
}

/**
 * Lets every known key of a decoder's config speak of the layers that stay; in place.
 * @param section the object that holds the number of layers
 */
export function cutLayerKeys(section: Section, layers: KeptLayers): KeyOutcome {
  const outcome: KeyOutcome = { notes: [], problems: [] }
  const defaults = DEFAULT_PERIODS[String(section.model_type)] ?? {}
  const spelled = PERIODS.map((period) => readPeriod({ ...defaults, ...section }, period, layers))
  cutLists(section, layers, outcome)
  for (const key of BOUNDARIES) cutBoundary(section, key, layers)
  for (const key of COUNTS) if (section[key] === layers.whole) section[key] = layers.kept.length
  cutAttentionTypes(section, layers)
  for (const [index, choice] of spelled.entries()) {
    if (choice === undefined || choice.holds) continue
    const { key, spell } = PERIODS[index]!
    if (spell) spell(section, choice.kept)
    else
      outcome.problems.push(
        `${key} = ${choice.period} chooses layers by their number, and would choose others of those that stay`,
      )
  }
  if (section.scale_attn_by_inverse_layer_idx === true && layers.kept.at(-1) !== layers.kept.length - 1) {
    outcome.problems.push('scale_attn_by_inverse_layer_idx divides scores by the number of the layer')
  }
  if (Number(section.num_kv_shared_layers ?? 0) > 0) {
    outcome.problems.push('num_kv_shared_layers lets layers read the keys and values of others')
  }
  return outcome
}

function cutLists(section: Section, { whole, kept }: KeptLayers, { notes }: KeyOutcome): void {
  for (const [key, value] of Object.entries(section)) {
    if (!Array.isArray(value)) continue
    if (LAYER_NUMBERS.has(key)) {
      section[key] = value.flatMap((layer) => {
        const number = kept.indexOf(layer)
        return number === -1 ? [] : [number]
      })
    } else if (value.length === whole && !NEVER_PER_LAYER.test(key)) {
      section[key] = kept.map((layer) => value[layer])
      if (!PER_LAYER.has(key))
        notes.push(`config.json: ${key} has an entry for each of ${whole} layers and was cut too`)
    }
  }
}

function cutBoundary(section: Section, key: string, { whole, kept }: KeptLayers): void {
  const value = section[key]
  if (typeof value === 'number' && value <= whole) section[key] = kept.filter((layer) => layer < value).length
}

/** GPT-Neo: [[kinds, repeats], ...]. */
function cutAttentionTypes(section: Section, { whole, kept }: KeptLayers): void {
  if (!Array.isArray(section.attention_types)) return
  const kinds = section.attention_types.flatMap(([kinds, repeats]: [string[], number]) =>
    Array.from({ length: repeats }, () => kinds).flat(),
  )
  if (kinds.length === whole) section.attention_types = [[kept.map((layer) => kinds[layer]), 1]]
}

/** Which of the layers that stay a period chooses, and whether it chooses the same by their new numbers. */
function readPeriod(section: Section, { key, remainder, unless }: Period, { kept }: KeptLayers) {
  const period = section[key]
  const list = unless === undefined ? undefined : section[unless]
  if (typeof period !== 'number' || period < 1 || (Array.isArray(list) && list.length > 0)) return undefined
  const countsFrom = remainder?.countsFrom ?? 1
  const left = remainder === undefined ? 0 : Number(section[remainder.key] ?? 0)
  const chooses = (layer: number) => (layer + countsFrom) % period === left
  const chosen = kept.map(chooses)
  return { period, kept: chosen, holds: chosen.every((value, layer) => value === chooses(layer)) }
}

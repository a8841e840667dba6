import type { KeptLayers } from '../write-model/layer-numbers.js'
import type { Section } from './section.js'

/** A number that chooses layers by dividing their number. */
interface Period {
  key: string
  /** Key of the number that is left; the rule counts from 1 and nothing is left if there is none. */
  remainder?: { key: string; countsFrom: 0 | 1 }
  /** The rule holds only if this list is omitted. */
  unless?: string
  /** Writes for each kept layer whether it is chosen, if the family allows it. */
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
  {
    key: 'full_attention_interval',
    unless: 'layer_types',
    spell: (section, chosen) => {
      section.layer_types = chosen.map((isFull) => (isFull ? 'full_attention' : 'linear_attention'))
    },
  },
  { key: 'sliding_window_pattern', unless: 'layer_types' },
  { key: '_sliding_window_pattern', unless: 'layer_types' },
  { key: 'layer_switch', unless: 'layer_types' },
  { key: 'global_attn_every_n_layers', unless: 'layer_types' },
  { key: 'moe_layer_freq', remainder: { key: '', countsFrom: 0 }, unless: 'mlp_layer_types' },
  { key: 'moe_layer_interval' },
  { key: 'attn_layer_period', remainder: { key: 'attn_layer_offset', countsFrom: 0 } },
  { key: 'expert_layer_period', remainder: { key: 'expert_layer_offset', countsFrom: 0 } },
]

export interface Choice {
  key: string
  period: number
  /** Whether each of the kept layers is chosen. */
  chosen: boolean[]
  /** Whether the period chooses the same layers by their new numbers. */
  holds: boolean
  spell: Period['spell']
}

/** Which of the kept layers each period of a config (with the family's defaults) chooses. */
export function readPeriods(section: Section, layers: KeptLayers): Choice[] {
  return PERIODS.flatMap((period) => readPeriod(section, period, layers) ?? [])
}

function readPeriod(
  section: Section,
  { key, remainder, unless, spell }: Period,
  { kept }: KeptLayers,
): Choice | undefined {
  const period = section[key]
  const list = unless === undefined ? undefined : section[unless]
  if (typeof period !== 'number' || period < 1 || (Array.isArray(list) && list.length > 0)) return undefined
  const countsFrom = remainder?.countsFrom ?? 1
  const left = remainder === undefined ? 0 : Number(section[remainder.key] ?? 0)
  const chooses = (layer: number) => (layer + countsFrom) % period === left
  const chosen = kept.map(chooses)
  return { key, period, chosen, holds: chosen.every((value, layer) => value === chooses(layer)), spell }
}

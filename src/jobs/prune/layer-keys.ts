/** Cuts the keys of a config that describe layers by their number. */
import { expandAttentionTypes } from '../../model/families/describe/layer-types.js'
import { findCutFacts } from '../../model/families/find-facts.js'
import { type KeptLayers, keepExtraLayers } from '../write-model/layer-numbers.js'
import { findLimits } from './layer-limits.js'
import { readPeriods } from './layer-periods.js'
import type { Section } from './section.js'

/** Notes on a key, or why it cannot describe the kept layers. */
export interface KeyOutcome {
  notes: string[]
  /** Why a kept layer would be computed differently. */
  problems: string[]
}

/** Keys that state the number of layers. */
export const COUNTS = ['num_hidden_layers', 'n_layer', 'n_layers', 'num_layers', 'num_blocks']

/** Lists with one entry per layer, or strings with one letter per layer; other lists of that length are cut as well, with a note. */
const PER_LAYER = new Set([
  'layer_types',
  'layers_block_type',
  'hybrid_override_pattern',
  'attention_layers',
  'mlp_layer_types',
  'indexer_types',
  'no_rope_layers',
  'layer_rope_theta',
  'num_attention_heads_per_layer',
  'moe_layer_freq',
  'hybrid_layer_pattern',
  'activation_sparsity_pattern',
])

/** Lists whose length can match the layer count only by coincidence. */
const NEVER_PER_LAYER = /^architectures$|^time_step_|_ids?$|^mtp_|_multipliers$|_token(_list)?s?$|^image_|^rope_/

/** Lists of numbers of layers, counted from 0. */
const LAYER_NUMBERS = new Set([
  'mlp_only_layers',
  'moe_layers',
  'full_attn_idxs',
  'attn_layer_indices',
  'hybrid_layer_ids',
  'cross_attention_layers',
])

/** Lists of numbers of layers inside an object, counted from 1. */
const NESTED_LAYER_NUMBERS = { section: 'linear_attn_config', keys: ['kda_layers', 'full_attn_layers'] }

/** A number k: layers before k have one kind, those from k on another. */
const BOUNDARIES = [
  'max_window_layers',
  'first_k_dense_replace',
  'num_dense_layers',
  'num_hash_layers',
  'moe_layer_start_index',
]

/** A number k: the last k layers have another kind. */
const FROM_THE_END = ['num_kv_shared_layers']

/** Number of the last layer of a kind. */
const LAST_OF_KIND = 'moe_layer_end_index'

/** Lets every known key of the section that counts the layers describe the kept ones; in place. */
export function cutLayerKeys(section: Section, layers: KeptLayers): KeyOutcome {
  const outcome: KeyOutcome = { notes: [], problems: [] }
  const facts = findCutFacts(section.model_type)
  const stated: Section = { ...facts.layerDefaults, ...section }
  const periods = readPeriods(stated, layers)
  outcome.problems.push(...findLimits(stated, layers))
  for (const { from, to, words } of facts.ownLists ?? []) {
    const list = section[from]
    if (Array.isArray(list)) section[to] ??= list.map((entry) => words[entry])
  }
  if (facts.firstIsDense) {
    section.mlp_layer_types ??= ['dense', ...Array(layers.whole - 1).fill('sparse')]
  }
  cutLists(section, layers, outcome)
  cutNested(section, layers)
  cutNamedByLayer(section, layers)
  cutLastOfKind(section, layers, outcome)
  for (const key of BOUNDARIES) cutBoundary(section, key, layers)
  for (const key of FROM_THE_END) cutFromTheEnd(section, key, layers)
  for (const key of COUNTS) if (section[key] === layers.whole) section[key] = layers.kept.length
  cutAttentionTypes(section, layers)
  if (facts.layerCycle !== undefined) writeOutCycle(section, facts.layerCycle, stated, layers)
  scaleByDepth(section, stated.scale_depth, layers)
  for (const { key, period, holds, spell, chosen } of periods) {
    if (holds) continue
    if (spell) spell(section, chosen)
    else
      outcome.problems.push(
        `${key} = ${period} chooses layers by their number, and would choose other layers among those kept`,
      )
  }
  return outcome
}

function cutLists(section: Section, layers: KeptLayers, { notes, problems }: KeyOutcome): void {
  const { whole, kept } = layers
  const extraLayers = countExtraLayers(section)
  for (const [key, value] of Object.entries(section)) {
    if (LAYER_NUMBERS.has(key) && Array.isArray(value)) section[key] = renumberList(value, kept)
    else if (PER_LAYER.has(key)) {
      if ((!Array.isArray(value) && typeof value !== 'string') || value.length === 0) continue
      const extra = value.length === whole ? 0 : extraLayers
      if (value.length === whole + extra) section[key] = cutEntries(value, keepExtraLayers(layers, extra))
      else problems.push(`${key} has ${value.length} entries for ${whole} layers`)
    } else if (Array.isArray(value) && value.length === whole && !NEVER_PER_LAYER.test(key)) {
      section[key] = cutEntries(value, layers)
      notes.push(`config.json: ${key} has an entry for each of ${whole} layers and was cut too`)
    }
  }
}

/** Layers for multi-token prediction behind the last one, as the config states them. */
export function countExtraLayers(section: Section): number {
  const count = section.num_nextn_predict_layers ?? section.num_mtp_layers
  return typeof count === 'number' && Number.isSafeInteger(count) && count > 0 ? count : 0
}

function cutEntries(value: unknown[] | string, { kept }: KeptLayers): unknown[] | string {
  const entries = kept.map((layer) => value[layer])
  return typeof value === 'string' ? entries.join('') : entries
}

/** @param from number of the first layer */
function renumberList(layers: unknown[], kept: number[], from = 0): number[] {
  return layers.flatMap((layer) => {
    const number = kept.indexOf(Number(layer) - from)
    return number === -1 ? [] : [number + from]
  })
}

function cutNested(section: Section, { kept }: KeptLayers): void {
  const inner = section[NESTED_LAYER_NUMBERS.section] as Section | null | undefined
  for (const key of NESTED_LAYER_NUMBERS.keys) {
    const layers = inner?.[key]
    if (Array.isArray(layers)) inner![key] = renumberList(layers, kept, 1)
  }
}

/** Gemma 4 as transformers 5 saves it: what is special about a layer under its number, with leading zeros. */
function cutNamedByLayer(section: Section, { kept }: KeptLayers): void {
  const byLayer = section.per_layer_config
  if (typeof byLayer !== 'object' || byLayer === null || Array.isArray(byLayer)) return
  section.per_layer_config = Object.fromEntries(
    Object.entries(byLayer).flatMap(([layer, value]) => {
      const number = kept.indexOf(Number(layer))
      return number === -1 ? [] : [[`${number}`.padStart(layer.length, '0'), value]]
    }),
  )
}

function cutBoundary(section: Section, key: string, { whole, kept }: KeptLayers): void {
  const value = section[key]
  if (typeof value === 'number' && value <= whole) section[key] = kept.filter((layer) => layer < value).length
}

function cutFromTheEnd(section: Section, key: string, { whole, kept }: KeptLayers): void {
  const value = section[key]
  if (typeof value !== 'number' || value < 0) return
  section[key] = kept.filter((layer) => layer >= whole - value).length
}

function cutLastOfKind(section: Section, { kept }: KeptLayers, { problems }: KeyOutcome): void {
  const last = section[LAST_OF_KIND]
  if (typeof last !== 'number' || last < 0) return
  const count = kept.filter((layer) => layer <= last).length
  // -1 would mean the last layer of the model
  if (count === 0) problems.push(`${LAST_OF_KIND} = ${last} has no layer left at or before it`)
  else section[LAST_OF_KIND] = count - 1
}

/** GPT-Neo: [[kinds, repeats], ...]. */
function cutAttentionTypes(section: Section, { whole, kept }: KeptLayers): void {
  if (!Array.isArray(section.attention_types)) return
  const kinds = expandAttentionTypes(section.attention_types, whole)
  if (kinds?.length === whole) section.attention_types = [[kept.map((layer) => kinds[layer]), 1]]
}

/** A short list of kinds is repeated: one kind per layer is a list that is repeated once. */
function writeOutCycle(section: Section, key: string, stated: Section, { kept }: KeptLayers): void {
  const kinds = stated[key]
  if (!Array.isArray(kinds)) return
  section[key] = kept.map((layer) => kinds[layer % kinds.length])
}

/** MiniCPM multiplies what a layer adds to the stream by scale_depth / sqrt(layers). */
function scaleByDepth(section: Section, scale: unknown, { whole, kept }: KeptLayers): void {
  if (typeof scale === 'number') section.scale_depth = scale * Math.sqrt(kept.length / whole)
}

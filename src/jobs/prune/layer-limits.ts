import { type CutFacts, keepsNumbers } from '../../model/families/describe/family.js'
import { findCutFacts } from '../../model/families/find-facts.js'
import type { KeptLayers } from '../write-model/layer-numbers.js'
import type { Section } from './section.js'

/** Why kept layers would be computed differently, whatever the config says. */
export function findLimits(section: Section, layers: KeptLayers): string[] {
  const facts = findCutFacts(section.model_type)
  const problems = [facts.cutLimit?.(layers, section)]
  if (section.scale_attn_by_inverse_layer_idx === true && !keepsNumbers(layers)) {
    problems.push('scale_attn_by_inverse_layer_idx divides scores by the number of the layer')
  }
  problems.push(findReadKeys(section, layers, facts))
  if (Number(section.hidden_size_per_layer_input ?? 0) > 0 && !facts.cutsPerLayerEmbeddings) {
    problems.push('hidden_size_per_layer_input gives each layer columns of one embedding table')
  }
  return problems.filter((problem) => problem !== undefined)
}

/** Why a model reads images differently when cut: Qwen3-VL adds vision features to its first layers' outputs. */
export function findVisionLimit({ vision_config }: Section, { kept }: KeptLayers): string | undefined {
  const indexes = (vision_config as Section | null | undefined)?.deepstack_visual_indexes
  if (!Array.isArray(indexes) || indexes.every((_, layer) => kept[layer] === layer)) return undefined
  return `features of images are added behind each of the first ${indexes.length} layers (deepstack_visual_indexes)`
}

function findReadKeys(
  { num_kv_shared_layers: readers, layer_types: types }: Section,
  { whole, kept }: KeptLayers,
  { sharesKeysByType }: CutFacts,
): string | undefined {
  if (typeof readers !== 'number' || readers <= 0) return undefined
  if (!Array.isArray(types) || !sharesKeysByType) {
    return 'num_kv_shared_layers lets layers read the keys and values of others'
  }
  const before = types.slice(0, whole - readers)
  const read = kept.filter((layer) => layer >= before.length).map((layer) => before.lastIndexOf(types[layer]))
  const missing = read.find((layer) => !kept.includes(layer))
  return missing === undefined ? undefined : `later layers read the keys and values of layer ${missing}`
}

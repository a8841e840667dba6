import type { KeptLayers } from '../write-model/layer-numbers.js'
import type { Section } from './section.js'

/** Why some cuts of a family cannot be right, or undefined for those that are; by `model_type`. */
const LIMITS: Record<string, (layers: KeptLayers, section: Section) => string | undefined> = {
  diffllama: (layers) =>
    isTailCut(layers) ? undefined : 'attention of diffllama depends on the number of the layer',
  zaya: () => "routers of zaya read the output of the previous layer's router",
  zamba: () => 'layers of zamba share weights that are stored in one of them',
  zamba2: () => 'layers of zamba2 share weights that are stored in one of them',
  'modernbert-decoder': ({ kept }) =>
    kept[0] === 0 ? undefined : 'only layer 0 of modernbert-decoder has no norm before its attention',
  gpt_neox_japanese: ({ whole, kept }) =>
    kept.at(-1) === whole - 1
      ? undefined
      : 'only the last layer of gpt_neox_japanese has a bias after its attention',
  olmo_hybrid: ({ kept }, { layer_types }) =>
    !Array.isArray(layer_types) || new Set(kept.map((layer) => layer_types[layer])).size > 1
      ? undefined
      : 'olmo_hybrid needs a layer of full attention and one of linear attention',
  gemma4_text: endsInFullAttention,
  gemma4_unified_text: endsInFullAttention,
}

/** Why kept layers would be computed differently, whatever the config says. */
export function findLimits(section: Section, layers: KeptLayers): string[] {
  const problems = [LIMITS[String(section.model_type)]?.(layers, section)]
  if (section.scale_attn_by_inverse_layer_idx === true && !isTailCut(layers)) {
    problems.push('scale_attn_by_inverse_layer_idx divides scores by the number of the layer')
  }
  problems.push(findReadKeys(section, layers))
  if (Number(section.hidden_size_per_layer_input ?? 0) > 0 && section.model_type !== 'gemma4_text') {
    problems.push('hidden_size_per_layer_input gives each layer columns of one embedding table')
  }
  return problems.filter((problem) => problem !== undefined)
}

/**
 * Why a model reads images differently once layers are removed: Qwen3-VL adds features of its vision tower to what the
 * first layers give out.
 */
export function findVisionLimit({ vision_config }: Section, { kept }: KeptLayers): string | undefined {
  const indexes = (vision_config as Section | null | undefined)?.deepstack_visual_indexes
  if (!Array.isArray(indexes) || indexes.every((_, layer) => kept[layer] === layer)) return undefined
  return `features of images are added behind each of the first ${indexes.length} layers (deepstack_visual_indexes)`
}

/** The last layers of Gemma 4 read keys and values of the last layer of their type before them. */
function findReadKeys(
  { num_kv_shared_layers: readers, layer_types: types, model_type: family }: Section,
  { whole, kept }: KeptLayers,
): string | undefined {
  if (typeof readers !== 'number' || readers <= 0) return undefined
  if (!Array.isArray(types) || !String(family).startsWith('gemma4')) {
    return 'num_kv_shared_layers lets layers read the keys and values of others'
  }
  const before = types.slice(0, whole - readers)
  const read = kept.filter((layer) => layer >= before.length).map((layer) => before.lastIndexOf(types[layer]))
  const missing = read.find((layer) => !kept.includes(layer))
  return missing === undefined ? undefined : `later layers read the keys and values of layer ${missing}`
}

/** Whether every kept layer keeps its number. */
function isTailCut({ kept }: KeptLayers): boolean {
  return kept.at(-1) === kept.length - 1
}

/** transformers makes the last layer of Gemma 4 one of full attention, whatever its config says. */
function endsInFullAttention({ kept }: KeptLayers, { layer_types }: Section): string | undefined {
  if (!Array.isArray(layer_types) || layer_types[kept.at(-1)!] === 'full_attention') return undefined
  return 'the last layer of Gemma 4 must be one of full attention'
}

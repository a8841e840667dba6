import { decoderPart } from '../../files/checkpoint/config.js'
import { nameWrapper } from '../../files/checkpoint/wrappers.js'
import { isKnownFamily } from '../../model/builder/build-decoder.js'
import { runsAlone } from '../../model/families/unknown-family.js'
import type { Section } from './section.js'

/**
 * Decoders, beside the families that can always be built, whose pruned models were compared in transformers with the whole
 * ones, their layers passed over: test/interop/decoders.test.ts. Some have keys that config.json must state, `|`
 * between alternatives: if it omits them, the family chooses layers by their number.
 */
const DECODERS: Record<string, string[]> = {
  axk2: ['mlp_layer_types|first_k_dense_replace'],
  doge: [],
  'gpt-sw3': [],
  inkling_text: ['layer_types', 'mlp_layer_types'],
  jetmoe: [],
  lara_mini: ['layer_types'],
  longcat_flash: [],
  minimax_m3_vl_text: [],
  'modernbert-decoder': ['layer_types'],
  xlstm: [],
  zamba: [],
  zaya: [],
}

/** Models of images and text whose decoder's config is `text_config`, compared in the same way. */
const WRAPPERS = new Set([
  'aya_vision',
  'gemma3',
  'gemma4',
  'glm4v',
  'idefics3',
  'internvl',
  'lfm2_vl',
  'llava',
  'llava_next',
  'llava_onevision',
  'mistral3',
  'paligemma',
  'qwen2_vl',
  'qwen2_5_vl',
  'qwen3_vl',
  'qwen3_vl_moe',
  'qwen3_5',
  'qwen3_5_moe',
  'smolvlm',
  'vipllava',
])

/**
 * Why it is not known that a cut config lets the kept layers compute what they did; undefined if it is.
 * @param isDescribed  the decoder's layers are compared one by one
 * @param undescribed  why they are not, though the family is known
 */
export function findUnproven(
  config: Section,
  isDescribed: boolean,
  undescribed?: string | undefined,
): string | undefined {
  if (isDescribed) return undefined
  const wrapper = nameWrapper(config)
  if (wrapper !== null && !WRAPPERS.has(wrapper)) {
    return runsAlone(wrapper) && undescribed !== undefined ? undescribed : explain(config)
  }
  const section = decoderPart(config)
  const family = String(section.model_type)
  if (!Object.hasOwn(DECODERS, family)) {
    if (!isKnownFamily(family)) return explain(section)
    return wrapper === null || runsAlone(wrapper) ? undescribed : undefined
  }
  const omitted = DECODERS[family]!.find((keys) => keys.split('|').every((key) => section[key] == null))
  if (omitted === undefined) return undefined
  return `config.json does not state ${omitted.replace('|', ' or ')}, so ${family} chooses layers by their number`
}

function explain({ model_type }: Section): string {
  return `cuts of ${model_type} models were not compared with the whole model`
}

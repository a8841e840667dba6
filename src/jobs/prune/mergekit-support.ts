import { isObject } from '../../base/is-object.js'
import { findWrapper } from '../../files/checkpoint/wrappers.js'
import type { KeptLayers } from '../write-model/layer-numbers.js'
import { COUNTS, cutLayerKeys } from './layer-keys.js'
import type { Section } from './section.js'

/** The release that these facts were found with, by test/interop/check_mergekit_families.py. */
const MERGEKIT = 'mergekit 0.1.5'

/** Values of `model_type` for which mergekit has an architecture file of one decoder. */
const DESCRIBED = new Set([
  'afmoe',
  'apertus',
  'arcee',
  'baichuan',
  'chatglm',
  'cohere',
  'cohere2',
  'exaone',
  'falcon',
  'gemma',
  'gemma2',
  'gemma3_text',
  'glm4',
  'glm4_moe',
  'gpt2',
  'gpt_bigcode',
  'gpt_neox',
  'granite',
  'granitemoehybrid',
  'internlm2',
  'jais',
  'lfm2',
  'llama',
  'mamba',
  'mistral',
  'mixtral',
  'olmo2',
  'phi',
  'phi3',
  'phi3small',
  'qwen',
  'qwen2',
  'qwen3',
  'qwen3_moe',
  'solar',
  'stablelm',
  'starcoder2',
])

/** Settings with which a family has tensors that its architecture file lacks: mergekit omits them silently. */
const LOST_TENSORS: Record<string, Section> = {
  apertus: { attention_bias: true },
  arcee: { mlp_bias: true },
  gemma: { tie_word_embeddings: false },
  llama: { attention_bias: true, mlp_bias: true },
  olmo2: { attention_bias: true },
  phi: { qk_layernorm: true },
}

/** @param family the config's `model_type` */
export function hasArchitectureFile(family: string): boolean {
  return DESCRIBED.has(family)
}

/**
 * Why mergekit would not make the cut that `prune` makes, in words; undefined if no reason is known.
 * @param family the config's `model_type`
 * @param config content of config.json, if it is at hand
 */
export function findMergekitProblem(
  family: string,
  layers: KeptLayers,
  config: Section = {},
): string | undefined {
  if (findWrapper(family) !== undefined) {
    return `${MERGEKIT} takes no slices of a decoder that is part of another model, as in ${family}`
  }
  if (!hasArchitectureFile(family)) {
    return `${MERGEKIT} has no architecture file for ${family}, so what it writes may lack tensors or have the wrong number of layers`
  }
  const lost = Object.entries(LOST_TENSORS[family] ?? {}).find(([key, value]) => config[key] === value)
  if (lost !== undefined) {
    return `${MERGEKIT} omits the tensors that ${lost[0]} = ${lost[1]} adds to ${family} models`
  }
  const key = [config, config.text_config]
    .filter(isObject)
    .flatMap((section) => findChangedKeys(section, layers))[0]
  return key === undefined
    ? undefined
    : `${MERGEKIT} leaves ${key} of config.json as it is for the layers of the whole model`
}

/** Keys of a config, besides the number of layers, that say something else of the kept layers. */
function findChangedKeys(section: Section, layers: KeptLayers): string[] {
  const cut = structuredClone(section)
  cutLayerKeys(cut, layers)
  const isUnused = (key: string) => key === 'max_window_layers' && section.use_sliding_window !== true
  return Object.keys(cut).filter(
    (key) =>
      !COUNTS.includes(key) && !isUnused(key) && JSON.stringify(section[key]) !== JSON.stringify(cut[key]),
  )
}

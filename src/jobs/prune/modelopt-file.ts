import { isObject } from '../../base/is-object.js'
import { MODELOPT_FILE } from '../../files/checkpoint/packed/modelopt-config.js'
import { type KeptLayers, keepExtraLayers } from '../write-model/layer-numbers.js'
import { countExtraLayers } from './layer-keys.js'
import { cutQuantization } from './quantization-lists.js'
import type { Section } from './section.js'

interface Options {
  /** Content of config.json. */
  config: Section
  layers: KeptLayers
  /** What the names of tensors in layers start with. */
  tensorPrefix: string
  /** Edits the content of config.json last. */
  edit?: ((config: Section) => void) | undefined
}

/**
 * The content of ModelOpt's `hf_quant_config.json` for the kept layers.
 * @throws LayerpruneError if it selects layers by a pattern
 */
export function cutModelOptFile(stated: Section, { config, layers, tensorPrefix, edit }: Options): Section {
  if (!isObject(stated.quantization)) return stated
  const sections = [config, config.text_config].filter(isObject)
  const extraLayers = Math.max(...sections.map(countExtraLayers))
  const settings = { exclude_modules: [], ...stated.quantization }
  const cut = {
    quantization_config: cutQuantization(settings, tensorPrefix, keepExtraLayers(layers, extraLayers), MODELOPT_FILE),
  }
  edit?.(cut)
  return { ...stated, quantization: cut.quantization_config }
}

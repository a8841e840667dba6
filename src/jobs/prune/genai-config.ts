import { LayerpruneError } from '../../base/errors.js'
import { isObject } from '../../base/is-object.js'
import type { KeptLayers } from '../write-model/layer-numbers.js'
import type { Section } from './section.js'

/**
 * The content of genai_config.json for the kept layers.
 * @throws LayerpruneError if it does not state the number of layers, or names graphs besides the decoder's
 */
export function cutGenaiConfig(original: Section, { whole, kept }: KeptLayers): Section {
  const config = structuredClone(original) as { model?: Section & { decoder?: Section } }
  const { decoder, ...others } = config.model ?? {}
  if (decoder?.num_hidden_layers !== whole) {
    throw new LayerpruneError(
      `genai_config.json: model.decoder.num_hidden_layers is ${JSON.stringify(decoder?.num_hidden_layers)}, expected ${whole}`,
    )
  }
  for (const [part, section] of Object.entries(others)) {
    if (!isObject(section) || typeof section.filename !== 'string') continue
    throw new LayerpruneError(
      `genai_config.json names a graph besides the decoder's (model.${part}: ${section.filename}), which cannot be pruned`,
      { hint: 'export the decoder alone' },
    )
  }
  decoder.num_hidden_layers = kept.length
  if (Array.isArray(decoder.layer_types)) {
    const types = decoder.layer_types
    decoder.layer_types = kept.map((layer) => types[layer])
  }
  const window = decoder.sliding_window as { layers?: number[] } | undefined
  if (window?.layers !== undefined) {
    window.layers = kept.flatMap((layer, number) => (window.layers!.includes(layer) ? [number] : []))
  }
  return config
}

import { LayerpruneError } from '../errors.js'
import type { Section } from './layer-keys.js'
import type { KeptLayers } from './layer-numbers.js'

/**
 * The content of genai_config.json for the kept layers.
 * @throws LayerpruneError if it does not state the number of layers
 */
export function cutGenaiConfig(original: Section, { whole, kept }: KeptLayers): Section {
  const config = structuredClone(original) as { model?: { decoder?: Section } }
  const decoder = config.model?.decoder
  if (decoder?.num_hidden_layers !== whole) {
    throw new LayerpruneError(
      `genai_config.json: model.decoder.num_hidden_layers is ${JSON.stringify(decoder?.num_hidden_layers)}, expected ${whole}`,
    )
  }
  decoder.num_hidden_layers = kept.length
  const window = decoder.sliding_window as { layers?: number[] } | undefined
  if (window?.layers !== undefined) {
    window.layers = kept.flatMap((layer, number) => (window.layers!.includes(layer) ? [number] : []))
  }
  return config
}

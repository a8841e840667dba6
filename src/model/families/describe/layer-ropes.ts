import type { ConfigReader } from './config-reader.js'
import type { Rope } from './description.js'
import type { Sizes } from './differences.js'
import { rope } from './family-parts.js'
import type { LayerType } from './layer-types.js'

interface UsualRope {
  theta: number
  /** Fraction of a head that is rotated; if omitted, the family always rotates whole heads. */
  partial?: number
  /** The fraction if `rope_parameters` is present but omits it; 1 if omitted. */
  unstated?: number
}

/**
 * A rope for each kind of layer, read from a nested `rope_parameters`.
 * @param usual the family's defaults if the config has no `rope_parameters`
 */
export function readLayerRopes(
  config: ConfigReader,
  typeOf: (layer: number) => LayerType,
  usual: { full: UsualRope; sliding: UsualRope },
): (layer: number, sizes: Sizes) => Rope {
  for (const key of ['rope_theta', 'rope_scaling', 'partial_rotary_factor']) {
    if (config.has(key)) throw config.refuse(key, 'nothing: rope_parameters states it for each kind of layer')
  }
  const isStated = config.has('rope_parameters')
  const read = (layerType: LayerType, own: UsualRope) =>
    rope(config, {
      layerType,
      theta: own.theta,
      ...(own.partial !== undefined && { partial: isStated ? (own.unstated ?? 1) : own.partial }),
    })
  const full = read('full_attention', usual.full)
  const sliding = read('sliding_attention', usual.sliding)
  return (layer, sizes) => (typeOf(layer) === 'full_attention' ? full : sliding)(layer, sizes)
}

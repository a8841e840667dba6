import { findFamily } from './find-facts.js'

/**
 * Says how many usual layers a number of half layers equals; undefined if the family's layers are usual ones.
 * @param family the decoder's `model_type`
 */
export function describeHalfLayers(family: string, layers: number): string | undefined {
  if (!findFamily(family)?.halfLayers) return undefined
  const verb = layers === 1 ? 'is' : 'are'
  const usual =
    layers > 2 ? `${layers / 2} usual layers` : layers === 2 ? 'one usual layer' : 'half a usual layer'
  return `each is a mixer or an MLP, so ${layers} of them ${verb} about ${usual}`
}

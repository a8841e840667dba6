/** Families each of whose layers is a mixer or an MLP; a usual layer has both. */
const HALF_LAYERS = new Set(['nemotron_h'])

/**
 * What a number of layers is worth in usual ones, if that is another number: undefined if it is not.
 * @param family the decoder's `model_type`
 */
export function describeHalfLayers(family: string, layers: number): string | undefined {
  if (!HALF_LAYERS.has(family)) return undefined
  const verb = layers === 1 ? 'is' : 'are'
  const usual =
    layers > 2 ? `${layers / 2} usual layers` : layers === 2 ? 'one usual layer' : 'half a usual layer'
  return `each is a mixer or an MLP, so ${layers} of them ${verb} about ${usual}`
}

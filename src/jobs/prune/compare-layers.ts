import type { Decoder, Layer } from '../../model/families/describe/description.js'

/** How layers would compute otherwise than expected, in words, whatever their numbers; undefined if they would not. */
export function findLayerDifference(expected: Layer[], found: Layer[]): string | undefined {
  if (found.length !== expected.length) return `it would have ${found.length} layers`
  const [olds, nows] = [withoutUnreadKeys(expected), withoutUnreadKeys(found)]
  for (const [layer, before] of olds.entries()) {
    const [old, now] = [listParts(before), listParts(nows[layer]!)]
    const part = Object.keys(old).find((key) => old[key] !== now[key])
    if (part !== undefined) return `${part} of the layer that becomes layer ${layer} would be another`
  }
  return undefined
}

/** As findLayerDifference, of everything that decoders compute; undefined if they compute the same. */
export function findDecoderDifference(expected: Decoder, found: Decoder): string | undefined {
  const { layers: expectedLayers, ...before } = expected
  const { layers: foundLayers, ...after } = found
  const inLayers = findLayerDifference(expectedLayers, foundLayers)
  if (inLayers !== undefined) return inLayers
  const part = (Object.keys(before) as (keyof typeof before)[]).find(
    (key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]),
  )
  return part && `${part} of the model would be another`
}

/** A layer that shares its keys and values is an ordinary one once no layer reads them. */
function withoutUnreadKeys(layers: Layer[]): Layer[] {
  const sharing = ({ mixer }: Layer) => (mixer?.kind === 'attention' ? mixer.sharing : null)
  const read = new Set(layers.flatMap((layer) => (sharing(layer)?.role === 'consumer' ? [sharing(layer)!.kind] : [])))
  return layers.map((layer) => {
    const own = sharing(layer)
    if (own === null || own.role === 'consumer' || read.has(own.kind)) return layer
    return { ...layer, mixer: { ...layer.mixer, sharing: null } as Layer['mixer'] }
  })
}

/** The parts of a layer in a form that can be compared, without the layer's own number in the names of tensors. */
function listParts({ mixer, mlp, ...rest }: Layer): Record<string, string> {
  const parts = { ...rest, ...mixer, mlp }
  const withoutNumber = (text: string) => text.replace(/(^|\.)\d+\./, '$1#.')
  const compared = (value: unknown): unknown => {
    if (typeof value === 'function') return compared(value(0))
    return typeof value === 'string' ? withoutNumber(value) : value
  }
  return Object.fromEntries(
    Object.entries(parts).map(([name, part]) => [name, JSON.stringify(part, (_, value) => compared(value)) ?? '']),
  )
}

import type { ConfigReader } from './config-reader.js'

export type LayerType = 'full_attention' | 'sliding_attention'

/**
 * The attention of each layer: by the config's list, or else by the family's rule.
 * @param slides the rule: whether a layer has a sliding window
 */
export function readLayerTypes(config: ConfigReader, slides: (layer: number) => boolean): (layer: number) => LayerType {
  return readLayerKinds(config, 'layer_types', ['full_attention', 'sliding_attention'], (layer) =>
    slides(layer) ? 'sliding_attention' : 'full_attention',
  )
}

/**
 * The kind of each layer: by the config's list, or else by the family's rule.
 * @param key   of the list
 * @param kinds the values it may have
 */
export function readLayerKinds<Kind extends string>(
  config: ConfigReader,
  key: string,
  kinds: Kind[],
  usual: (layer: number) => Kind,
): (layer: number) => Kind {
  const layers = config.layers('num_hidden_layers')
  const types = config.texts(key, undefined)
  if (types === undefined) return usual
  if (types.length !== layers) {
    throw config.contradicts(`has ${types.length} ${key} for ${layers} layers (num_hidden_layers)`)
  }
  const isKnown = (type: string): type is Kind => (kinds as string[]).includes(type)
  if (!types.every(isKnown)) {
    throw config.refuse(key, `only ${kinds.slice(0, -1).join(', ')} and ${kinds.at(-1)}`)
  }
  return (layer) => types[layer]!
}

/**
 * The window of each layer; null for full attention.
 * @param window tokens seen, the token itself included; null if the model has no window
 * @throws LayerpruneError if a layer with sliding attention has no window
 */
export function windowsOf(
  config: ConfigReader,
  typeOf: (layer: number) => LayerType,
  window: number | null,
): (layer: number) => number | null {
  return (layer) => {
    if (typeOf(layer) === 'full_attention') return null
    if (window === null) throw config.refuse('layer_types', 'no sliding_attention without a sliding_window')
    return window
  }
}

/** `sliding_window`: null if it is null, `otherwise` if it is absent. */
export function readWindow(config: ConfigReader, otherwise: number | null): number | null {
  return config.isNull('sliding_window') ? null : config.length('sliding_window', otherwise)
}

/** Period of full attention. transformers 4 also saves the key with an underscore, but never reads that. */
export function readPattern(config: ConfigReader, otherwise: number): number {
  const pattern = config.length('sliding_window_pattern', otherwise)
  if (config.has('layer_types')) config.ignore('_sliding_window_pattern')
  else config.expect('_sliding_window_pattern', pattern)
  return pattern
}

/** A count that is either the same in all layers or a list with one entry per layer. */
export function readLayerCounts(config: ConfigReader, key: string, otherwise: number): (layer: number) => number {
  if (!Array.isArray(config.raw(key))) {
    const count = config.count(key, otherwise)
    return () => count
  }
  const counts = config.numbers(key)
  const layers = config.layers('num_hidden_layers')
  if (counts.length !== layers || !counts.every((count) => Number.isSafeInteger(count) && count > 0)) {
    throw config.refuse(key, `a count, or one for each of ${layers} layers`)
  }
  return (layer) => counts[layer]!
}

/**
 * Expands GPT-Neo's [[kinds, repeats], ...] to a list of kinds.
 * @returns undefined if it has another form or more kinds than there are layers
 */
export function expandAttentionTypes(types: unknown, layers: number): unknown[] | undefined {
  const kinds: unknown[] = []
  for (const item of Array.isArray(types) ? types : []) {
    const [cycle, repeats] = Array.isArray(item) ? item : []
    if (!Array.isArray(cycle) || !Number.isSafeInteger(repeats)) return undefined
    if (cycle.length === 0 || cycle.length * repeats > layers) return undefined
    for (let repeat = 0; repeat < repeats; repeat++) kinds.push(...cycle)
  }
  return kinds
}

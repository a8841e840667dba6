/** The layer number in names such as `past_key_values.3.key`, `past_3.value` and `present.3.key`. */
const CACHE = /^((?:past|present)[a-z_]*[._])(\d+)/

/** The layer whose cache an input or output of a decoder holds; undefined if it holds none. */
export function layerOfCache(name: string): number | undefined {
  const layer = CACHE.exec(name)?.[2]
  return layer === undefined ? undefined : Number(layer)
}

/** Other caches hold the state of a convolution or a recurrence, whose size does not depend on the past. */
const KEYS_OR_VALUES = /^past_key_values[._]|^past[._].*(key|value)/

/** Whether an input is the cache of attention: [batch, key heads, past tokens, head size]. */
export function holdsKeysOrValues(name: string): boolean {
  return KEYS_OR_VALUES.test(name)
}

/** The name of the same part of another layer's cache. */
export function renameCache(name: string, layer: number): string {
  return name.replace(CACHE, (_, prefix) => `${prefix}${layer}`)
}

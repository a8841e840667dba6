/** How `past_key_values.3.key`, `past_3.value`, `present.3.key` and the like name the layer whose cache they hold. */
const CACHE = /^((?:past|present)[a-z_]*[._])(\d+)/

/** The layer whose cache an input or output of a decoder holds; undefined if it holds none. */
export function layerOfCache(name: string): number | undefined {
  const layer = CACHE.exec(name)?.[2]
  return layer === undefined ? undefined : Number(layer)
}

/** The name of the same part of another layer's cache. */
export function renameCache(name: string, layer: number): string {
  return name.replace(CACHE, (_, prefix) => `${prefix}${layer}`)
}

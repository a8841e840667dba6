import type { ModelConfig } from '../checkpoint/config.js'
import type { GraphProto } from '../graph/onnx.js'

const CACHE_INPUT = /^past(_key_values)?[._]/

/** Axes of a cache [batch, heads, tokens, head dim] whose sizes are the same for every text. */
const AXES = { heads: 1, headDim: 3 }

/**
 * States the number of heads and their size in the cache inputs of a graph that leaves them open; in place.
 * transformers.js 4 makes an empty cache of size 0 along every axis that is open, which attention refuses.
 */
export function fixCacheShapes(graph: GraphProto, { kvHeads, headDim }: ModelConfig): void {
  for (const { name, type } of graph.input) {
    if (!CACHE_INPUT.test(name) || type?.value.case !== 'tensorType') continue
    const dims = type.value.value.shape?.dim ?? []
    if (dims.length !== 4) continue
    for (const [axis, size] of [
      [AXES.heads, kvHeads],
      [AXES.headDim, headDim],
    ] as const) {
      const dim = dims[axis]!
      if (dim.value.case !== 'dimValue') dim.value = { case: 'dimValue', value: BigInt(size) }
    }
  }
}

import type { ModelConfig } from '../../files/checkpoint/config.js'
import { holdsKeysOrValues, layerOfCache, renameCache } from '../../model/graph/cache-names.js'
import type { GraphProto } from '../../model/graph/onnx/onnx.js'
import { renameReads } from '../../model/graph/redirect-state.js'
import type { KeptLayers } from '../write-model/layer-numbers.js'

/** How an export that returns its states names them. */
const STATE = /^(hidden_states[._]?)(\d+)$/

/** Gives the cache inputs and outputs of a cut graph, and its states if any, their new numbers; in place. */
export function renumberCaches(graph: GraphProto, { kept }: KeptLayers): void {
  const names = new Map<string, string>()
  for (const { name } of [...graph.input, ...graph.output]) {
    const layer = layerOfCache(name)
    if (layer !== undefined) names.set(name, renameCache(name, kept.indexOf(layer)))
    const [, start, state] = STATE.exec(name) ?? []
    if (state !== undefined) {
      names.set(name, `${start}${kept.filter((layer) => layer < Number(state)).length}`)
    }
  }
  renameReads(graph, names)
  for (const node of graph.node) node.output = node.output.map((name) => names.get(name) ?? name)
  for (const info of [...graph.input, ...graph.output, ...graph.valueInfo]) {
    info.name = names.get(info.name) ?? info.name
  }
}

/** Axes of a cache [batch, heads, tokens, head dim] whose sizes are the same for every text. */
const AXES = { heads: 1, headDim: 3 }

/** Fixes heads and head size where cache inputs leave them open, in place: transformers.js 4 makes open axes 0. */
export function fixCacheShapes(graph: GraphProto, { kvHeads, headDim }: ModelConfig): void {
  for (const { name, type } of graph.input) {
    if (!holdsKeysOrValues(name) || type?.value.case !== 'tensorType') continue
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

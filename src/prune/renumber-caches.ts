import type { GraphProto } from '../graph/onnx.js'
import { renameReads } from '../graph/redirect-state.js'
import type { KeptLayers } from './layer-numbers.js'

/** How `past_key_values.3.key`, `past_3.value`, `present.3.key` and the like name a layer. */
const CACHE = /^((?:past|present)[a-z_]*[._])(\d+)/

/** How an export that returns its states names them. */
const STATE = /^(hidden_states[._]?)(\d+)$/

/**
 * Gives the cache inputs and outputs of a graph whose layers were cut the numbers that layers have now, and its
 * states, if it returns them, theirs; in place.
 */
export function renumberCaches(graph: GraphProto, { kept }: KeptLayers): void {
  const names = new Map<string, string>()
  for (const { name } of [...graph.input, ...graph.output]) {
    const [, prefix, layer] = CACHE.exec(name) ?? []
    if (layer !== undefined) names.set(name, name.replace(CACHE, `${prefix}${kept.indexOf(Number(layer))}`))
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

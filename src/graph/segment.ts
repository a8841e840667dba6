import type { DecoderGraph } from './decoder-graph.js'
import { findElementType } from './element-types.js'
import { cloneModel, makeValueInfo } from './onnx.js'
import { redirectState } from './redirect-state.js'
import { indexGraph, removeDeadNodes } from './topology.js'

/** Input of a segment that does not start at the token ids: the state before its first layer. */
export const STATE_INPUT = 'layerprune.state'

/**
 * Takes the part of a decoder between two states. Where `from` is above 0 the state is an input, [batch, tokens,
 * hidden] in the type that the graph computes it in; position encodings, masks and empty caches come from the
 * decoder's own inputs as before. The only output is state `to`.
 * @param to above `from`
 * @returns a new graph with states `from`..`to`; the given one is not changed
 */
export function takeSegment(decoder: DecoderGraph, { from, to }: { from: number; to: number }): DecoderGraph {
  const { model, states } = feedState(decoder, from)
  const graph = model.graph!
  const last = states[to - from]!
  const type = findElementType(graph, indexGraph(graph), last)
  graph.output = [makeValueInfo(last, type, ['batch', 'tokens', 'hidden'])]
  removeDeadNodes(graph)
  return { ...decoder, model, states: states.slice(0, to - from + 1) }
}

/**
 * Lets a decoder start from a state that it is given as an input, with every output that it has; what only the
 * layers below needed stays until dead nodes are removed.
 * @returns a new graph with states `from`..layers
 */
export function feedState(decoder: DecoderGraph, from: number): DecoderGraph {
  const model = cloneModel(decoder.model)
  if (from === 0) return { ...decoder, model }
  const graph = model.graph!
  const states = decoder.states.slice(from)
  const type = findElementType(graph, indexGraph(graph), states[0]!)
  redirectState(graph, states[0]!, STATE_INPUT)
  graph.input.push(makeValueInfo(STATE_INPUT, type, ['batch', 'tokens', 'hidden']))
  return { ...decoder, model, states: [STATE_INPUT, ...states.slice(1)] }
}

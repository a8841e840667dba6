import { LayerpruneError } from '../../base/errors.js'
import type { DecoderGraph } from './decoder-graph.js'
import { findFusedNorm, SUM_OUTPUT } from './fused-norms.js'
import { isProduct, nodesWithin } from './nodes-within.js'
import { findElementType } from './onnx/element-types.js'
import {
  cloneNode,
  copyMessage,
  DataType,
  type GraphProto,
  type ModelProto,
  makeNode,
  makeValueInfo,
  type ValueInfoProto,
} from './onnx/onnx.js'
import { indexGraph, removeDeadNodes } from './onnx/topology.js'
import { redirectState } from './redirect-state.js'

/** Input of a segment that does not start at the token ids: the state before its first layer. */
export const STATE_INPUT = 'layerprune.state'

/** Zeros in the shape of the state. */
const NOTHING = 'layerprune.nothing'

/**
 * Takes the part of a decoder between two states. State `from` becomes an input, [batch, tokens, hidden] in the graph's
 * own type; position encodings, masks and empty caches still come from the decoder's inputs.
 * The only output is state `to`.
 * @param from if omitted, the segment starts at the token ids
 * @param to   at least `from`; state 0 alone is the embedding
 * @returns a new graph with states `from`..`to`; the given one is not changed
 * @throws LayerpruneError if its layers read keys and values of layers before it
 */
export function takeSegment(
  decoder: DecoderGraph,
  { from, to }: { from?: number | undefined; to: number },
): DecoderGraph {
  const { model, states } =
    from === undefined ? { ...decoder, model: copyModel(decoder.model) } : feedState(decoder, from)
  const graph = model.graph
  const kept = states.slice(0, to - (from ?? 0) + 1)
  const last = kept.at(-1)!
  graph.output = [makeStateInfo(graph, last, last)]
  removeDeadNodes(graph)
  if (from !== undefined) assertIndependent(decoder, from, graph)
  return { ...decoder, model, states: kept }
}

/** Refuses segments that read keys and values of earlier layers: those layers would have to run again. */
function assertIndependent({ model, states }: DecoderGraph, from: number, segment: GraphProto): void {
  const before = nodesWithin(indexGraph(model.graph), states, { start: 0, end: from })
  const outputs = new Set(before.flatMap(({ output }) => output))
  if (!segment.node.some((node) => isProduct(node) && outputs.has(node.output[0]!))) return
  throw new LayerpruneError(
    `the layers from ${from} on read keys and values of earlier layers, so that the decoder cannot be divided there`,
    { hint: 'run it without `maxMemory`, and evaluate one candidate at a time' },
  )
}

/**
 * Makes a decoder start from a state that is an input, and keeps all its outputs. Nodes that only the earlier layers
 * used remain until dead nodes are removed.
 * @returns a new graph with states `from`..layers
 */
export function feedState(decoder: DecoderGraph, from: number): DecoderGraph {
  const model = copyModel(decoder.model)
  const graph = model.graph
  const state = decoder.states[from]!
  const input = makeStateInfo(graph, state, STATE_INPUT)
  startFusedNorm(graph, state)
  redirectState(graph, state, STATE_INPUT)
  graph.input.push(input)
  return { ...decoder, model, states: [STATE_INPUT, ...decoder.states.slice(from + 1)] }
}

/**
 * Makes the fused norm of a state read the input state and add zeros to it. A plain norm would round differently, so
 * results would depend on where a decoder is divided.
 */
function startFusedNorm(graph: GraphProto, state: string): void {
  const index = findFusedNorm(graph, state)
  if (index === undefined) return
  const norm = graph.node[index]!
  norm.input.splice(0, 2, STATE_INPUT, NOTHING)
  norm.output.splice(SUM_OUTPUT, 1, '')
  graph.node.splice(index, 0, makeNode('Sub', [STATE_INPUT, STATE_INPUT], [NOTHING]))
}

/** Input or output that has the type of a state. */
function makeStateInfo(graph: GraphProto, state: string, name: string): ValueInfoProto {
  const type = findElementType(graph, indexGraph(graph), state)
  if (type === DataType.UNDEFINED) {
    throw new LayerpruneError(`the graph does not state the element type of its state ${state}`)
  }
  return makeValueInfo(name, type, ['batch', 'tokens', 'hidden'])
}

/**
 * A copy whose lists and nodes can be edited. Weights, and attributes other than subgraphs, are shared with the
 * original: a decoder is divided into many segments, and each needs few of its nodes.
 */
function copyModel(model: ModelProto): ModelProto {
  const { graph } = model
  return copyMessage(model, {
    graph: copyMessage(graph, {
      node: graph.node.map((node) =>
        node.attribute.some(({ g, graphs }) => g !== undefined || graphs.length > 0)
          ? cloneNode(node)
          : copyMessage(node, { input: [...node.input], output: [...node.output] }),
      ),
      initializer: [...graph.initializer],
      input: [...graph.input],
      output: [...graph.output],
    }),
  })
}

import type { DecoderGraph } from './decoder-graph.js'
import { findElementType } from './onnx/element-types.js'
import { createModel, DataType, makeNode, makeValueInfo, type ValueInfoProto } from './onnx/onnx.js'
import { indexGraph, removeDeadNodes, sortNodes } from './onnx/topology.js'
import { takeSegment } from './segment.js'
import { GRAM_OUTPUT, gatherStates, gramOfChunk, makeRowShape } from './tap.js'

/**
 * Takes the part of a decoder between two states. Its outputs are states `from`..`to - 1` at the given positions, each
 * [chunks, positions, hidden], then state `to` as `takeSegment` returns it; the last state of the decoder is also at
 * the given positions only. Its inputs are those of `takeSegment` and the positions of `tapStates`.
 * @returns a new graph; the given one is not changed
 */
export function tapSegment(decoder: DecoderGraph, { from, to }: { from: number; to: number }): DecoderGraph {
  const segment = takeSegment(decoder, { from: from === 0 ? undefined : from, to })
  const graph = segment.model.graph
  const [end] = graph.output
  const isEnd = to === decoder.states.length - 1
  const topology = indexGraph(graph)
  const taken = isEnd ? segment.states : segment.states.slice(0, -1)
  const types = taken.map((state) => findElementType(graph, topology, state))
  const kept = gatherStates(graph, taken, { first: from, isEnd })
  graph.output = kept.map((name, index) => keptInfo(name, types[index]!))
  if (!isEnd) graph.output.push(end!)
  sortNodes(graph)
  removeDeadNodes(graph)
  return segment
}

/**
 * Makes the graph that follows the segments: its inputs are states 0..L at some positions, in order, each
 * [positions, hidden]; its output is their inner products as from `tapStates`, [positions, L + 1, L + 1].
 */
export function makeGramGraph({ model, states }: DecoderGraph): DecoderGraph {
  const { irVersion, opsetImport } = model
  const topology = indexGraph(model.graph)
  const graph = gramOfChunk(states.length)
  graph.input = graph.input.map(({ name }, k) =>
    makeValueInfo(name, findElementType(model.graph, topology, states[k]!), ['positions', 'hidden']),
  )
  const gram = graph.output[0]!.name
  graph.node.push(makeNode('Identity', [gram], [GRAM_OUTPUT]))
  graph.output = [makeValueInfo(GRAM_OUTPUT, DataType.DOUBLE, ['positions', states.length, states.length])]
  graph.initializer = [makeRowShape()]
  return { model: createModel({ irVersion, opsetImport, graph }), weightsFolder: '', states: [] }
}

function keptInfo(name: string, type: DataType): ValueInfoProto {
  return makeValueInfo(name, type, ['chunks', 'positions', 'hidden'])
}

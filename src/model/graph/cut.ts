import { LayerpruneError } from '../../base/errors.js'
import type { Block } from '../layers/block.js'
import { includesLayer, normalizeBlocks } from '../layers/blocks.js'
import { layerOfCache, renameCache } from './cache-names.js'
import type { DecoderGraph } from './decoder-graph.js'
import { isProduct, nodesWithin } from './nodes-within.js'
import { findElementType } from './onnx/element-types.js'
import { cloneModel, type GraphProto, makeNode, type NodeProto } from './onnx/onnx.js'
import {
  indexGraph,
  nodesDownstream,
  nodesUpstream,
  removeDeadNodes,
  sortNodes,
  type Topology,
} from './onnx/topology.js'
import { redirectState, renameReads } from './redirect-state.js'

/**
 * Removes blocks of layers from a decoder: state `start` is read where state `end` was. No weight changes; weights
 * that nothing reads any more are dropped, and so are the cache inputs and outputs of the removed layers. Everything
 * else keeps its name, so layers and caches keep the numbers that they have in the whole model.
 * @param removed in any order, half-open
 * @returns a new graph with the remaining states; the given one is not changed
 * @throws UsageError if a block is empty, leaves the model or overlaps another, or if no layer would remain
 * @throws LayerpruneError if the kept layers read a cache of a removed one, and none of its kind is left, or the keys
 *   and values of a removed one
 */
export function cutBlocks(decoder: DecoderGraph, removed: Block[]): DecoderGraph {
  const { states } = decoder
  const blocks = normalizeBlocks(removed, states.length - 1)
  const model = cloneModel(decoder.model)
  const graph = model.graph
  const topology = indexGraph(graph)
  const within = new Set(blocks.flatMap((block) => nodesWithin(topology, states, block)))
  for (const { start, end } of blocks) {
    redirectState(graph, states[end]!, castState(graph, topology, states[start]!, states[end]!))
  }
  const kept = states.filter((_, k) => !blocks.some(({ start, end }) => start < k && k <= end))
  assertNoneRead(graph, kept.at(-1)!, within)
  readOtherCaches(graph, blocks, states.length - 1)
  dropOutputs(graph, within)
  sortNodes(graph)
  removeDeadNodes(graph)
  assertCachesLeft(graph, blocks)
  return { ...decoder, model, states: kept }
}

/** A state in the element type of another: itself, or the output of a new node. */
function castState(graph: GraphProto, topology: Topology, state: string, like: string): string {
  const type = findElementType(graph, topology, like)
  if (findElementType(graph, topology, state) === type) return state
  const cast = `${state}/as_${like}`
  graph.node.push(makeNode('Cast', [state], [cast], { to: type }))
  return cast
}

/** Some exports read the past's length from one layer's cache; if that layer is removed, another layer's cache is used. */
function readOtherCaches(graph: GraphProto, blocks: Block[], layers: number): void {
  const kept = Array.from({ length: layers }, (_, layer) => layer).filter((layer) => !includesLayer(blocks, layer))
  const inputs = new Set(graph.input.map(({ name }) => name))
  const others = new Map<string, string>()
  for (const name of inputs) {
    if (!isOfRemoved(name, blocks)) continue
    const other = kept.map((layer) => renameCache(name, layer)).find((candidate) => inputs.has(candidate))
    if (other !== undefined) others.set(name, other)
  }
  renameReads(graph, others)
}

/** If layers are of several kinds, a cut can remove the last cache of a kind that is still read. */
function assertCachesLeft(graph: GraphProto, blocks: Block[]): void {
  const missing = graph.input.find(({ name }) => isOfRemoved(name, blocks))
  if (missing === undefined) return
  throw new LayerpruneError(
    `the graph reads the length of the past from ${missing.name}, and no layer with such a cache would be left`,
    { hint: 'keep a layer of each kind' },
  )
}

/** If products of a removed layer are still read, they are keys and values that later layers share. */
function assertNoneRead(graph: GraphProto, last: string, removed: Set<NodeProto>): void {
  const topology = indexGraph(graph)
  const needed = [...nodesUpstream(topology, [last])].map((position) => topology.nodes[position]!)
  const read = needed.find((node) => removed.has(node) && isProduct(node))
  if (read === undefined) return
  throw new LayerpruneError(`kept layers read the keys and values of a removed layer (${read.output[0]})`, {
    hint: 'remove other layers: the last layers of this model share keys and values with earlier ones',
  })
}

function isOfRemoved(cache: string, blocks: Block[]): boolean {
  const layer = layerOfCache(cache)
  return layer !== undefined && includesLayer(blocks, layer)
}

/** Drops the outputs of removed layers: their caches, and their states if the graph outputs them. */
function dropOutputs(graph: GraphProto, within: Set<NodeProto>): void {
  const topology = indexGraph(graph)
  const removed = graph.node.filter((node) => within.has(node))
  const dependent = nodesDownstream(
    topology,
    removed.flatMap(({ output }) => output),
  )
  graph.output = graph.output.filter(({ name }) => {
    const producer = topology.producer.get(name)
    return producer !== undefined && !dependent.has(producer) && !within.has(topology.nodes[producer]!)
  })
}

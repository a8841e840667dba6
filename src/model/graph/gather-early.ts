import { isFusedNorm } from './fused-norms.js'
import { isInt8Step } from './int8/quantize-products.js'
import { type GraphProto, makeNode, type NodeProto, readInteger } from './onnx/onnx.js'
import { indexGraph, nodesDownstream, type Topology } from './onnx/topology.js'

/** Operators that compute each row of their outputs from the same row of their inputs. */
const ROWWISE = new Set([
  ...['Add', 'Sub', 'Mul', 'Div', 'Pow', 'Sqrt', 'Neg', 'Exp', 'Erf', 'Tanh', 'Sigmoid', 'Relu', 'Cast'],
  ...['Identity', 'Gelu', 'FastGelu', 'QuickGelu', 'BiasGelu'],
])

/** The same, if the second input is a weight. */
const PRODUCTS = new Set(['MatMul', 'FusedMatMul', 'MatMulNBits'])

/** Axes of [batch, tokens, width] that a norm of each row may reduce. */
const LAST_AXES = new Set([-1, 2])

/**
 * Computes a tensor at the given positions only. The gather moves back to the tensors from which it is computed row by
 * row. Operators that mix tokens, and everything that they read, do not change.
 * @param tensor [batch, tokens, width]; afterwards it holds what `GatherND` with `positions` would read from it
 * @param gathered tensors that are gathered elsewhere, with the names of the results; includes a state that is an
 *   input of the graph
 * @returns whether it was possible; otherwise the graph is not changed
 */
export function gatherEarly(
  graph: GraphProto,
  tensor: string,
  positions: string,
  gathered: Map<string, string>,
): boolean {
  const topology = indexGraph(graph)
  const region = findRegion(graph, topology, tensor, gathered)
  const { nodes, entries } = region
  const isNew = (entry: string) => !gathered.has(entry)
  if (nodes.size === 0 || !isClosed(topology, region, tensor)) return false
  const newEntries = [...entries].filter(isNew)
  if (!newEntries.every((entry) => feedsProductsOnly(topology, region, entry))) return false
  const nameGathered = (entry: string) => gathered.get(entry) ?? `${entry}/asked`
  for (const position of nodes) {
    const node = topology.nodes[position]!
    node.input = node.input.map((name) => (entries.has(name) ? nameGathered(name) : name))
  }
  const reshaped = new Set([...nodes].flatMap((position) => topology.nodes[position]!.output))
  graph.valueInfo = graph.valueInfo.filter(({ name }) => !reshaped.has(name))
  graph.node.push(...newEntries.map((entry) => makeNode('GatherND', [entry, positions], [nameGathered(entry)])))
  return true
}

/** The nodes that compute a tensor row by row. */
interface Region {
  /** Their positions. */
  nodes: Set<number>
  /** Tensors with rows that they read from outside. */
  entries: Set<string>
}

function findRegion(graph: GraphProto, topology: Topology, tensor: string, gathered: Map<string, string>): Region {
  const inputs = graph.input.map(({ name }) => name)
  const activations = nodesDownstream(topology, inputs)
  const isActivation = (name: string) => gathered.has(name) || activations.has(topology.producer.get(name) ?? -1)
  const region: Region = { nodes: new Set(), entries: new Set() }
  const queue = [tensor]
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const position = topology.producer.get(name)
    if (position !== undefined && region.nodes.has(position)) continue
    const node = position === undefined ? undefined : topology.nodes[position]!
    // a fused norm also gives the sum that it normalizes, which can be a state that is gathered elsewhere
    const isGathered = node?.output.some((output) => gathered.has(output)) ?? gathered.has(name)
    if (node === undefined || isGathered || !isRowwise(node, isActivation)) {
      region.entries.add(name)
      continue
    }
    region.nodes.add(position!)
    // steps of int8 products flatten rows and restore their shape
    const isComputed = (input: string) => isActivation(input) || (isInt8Step(node) && topology.producer.has(input))
    queue.push(...node.input.filter(isComputed))
  }
  return region
}

/** Whether a region multiplies a tensor by weights only, so that gathering saves work. */
function feedsProductsOnly(topology: Topology, { nodes }: Region, entry: string): boolean {
  const readers = topology.consumers.get(entry)!.filter((position) => nodes.has(position))
  return readers.every((reader) => {
    const node = topology.nodes[reader]!
    return PRODUCTS.has(node.opType) || isInt8Step(node)
  })
}

function isRowwise(node: NodeProto, isActivation: (name: string) => boolean): boolean {
  const { opType, input } = node
  if (/^(Simplified)?LayerNormalization$/.test(opType)) return LAST_AXES.has(readInteger(node, 'axis') ?? -1)
  const isProduct = PRODUCTS.has(opType) && !isActivation(input[1]!)
  return isProduct || ROWWISE.has(opType) || isFusedNorm(node) || isInt8Step(node)
}

/** Whether only a region's last tensor is read outside it. */
function isClosed(topology: Topology, { nodes }: Region, tensor: string): boolean {
  const readersOf = (name: string) => topology.consumers.get(name) ?? []
  const outputs = [...nodes].flatMap((position) => topology.nodes[position]!.output)
  return outputs.every((name) => name === tensor || readersOf(name).every((reader) => nodes.has(reader)))
}

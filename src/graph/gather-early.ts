import { type GraphProto, makeNode, type NodeProto } from './onnx.js'
import { isInt8Step } from './quantize-products.js'
import { indexGraph, nodesDownstream, type Topology } from './topology.js'

/** Operators that compute each row of their outputs from the same row of their inputs. */
const ROWWISE = new Set([
  ...['Add', 'Sub', 'Mul', 'Div', 'Pow', 'Sqrt', 'Neg', 'Exp', 'Erf', 'Tanh', 'Sigmoid', 'Relu', 'Cast'],
  ...['Identity', 'Gelu', 'FastGelu', 'QuickGelu', 'BiasGelu'],
  ...['SkipSimplifiedLayerNormalization', 'SkipLayerNormalization'],
])

/** The same, if the second input is a weight. */
const PRODUCTS = new Set(['MatMul', 'FusedMatMul', 'MatMulNBits'])

/** Axes of [batch, tokens, width] that a norm of each row goes over. */
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
  const activations = nodesDownstream(
    topology,
    graph.input.map(({ name }) => name),
  )
  const isActivation = (name: string) =>
    gathered.has(name) || activations.has(topology.producer.get(name) ?? -1)
  const region = new Set<number>()
  const entries = new Set<string>()
  const queue = [tensor]
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const position = topology.producer.get(name)
    if (position === undefined) {
      entries.add(name)
      continue
    }
    if (region.has(position)) continue
    const node = topology.nodes[position]!
    if (gathered.has(name) || !isRowwise(node, isActivation)) {
      entries.add(name)
      continue
    }
    region.add(position)
    // steps of int8 products flatten rows and restore their shape
    const isComputed = (input: string) =>
      isActivation(input) || (isInt8Step(node) && topology.producer.has(input))
    queue.push(...node.input.filter(isComputed))
  }
  if (region.size === 0 || !isClosed(topology, region, tensor)) return false
  const inRegion = (position: number) => region.has(position)
  for (const entry of entries) {
    const readers = topology.consumers.get(entry)!.filter(inRegion)
    const readForProducts = readers.every((reader) => {
      const node = topology.nodes[reader]!
      return PRODUCTS.has(node.opType) || isInt8Step(node)
    })
    if (!gathered.has(entry) && !readForProducts) return false
  }
  const asked = (entry: string) => gathered.get(entry) ?? `${entry}/asked`
  for (const position of region) {
    const node = topology.nodes[position]!
    node.input = node.input.map((name) => (entries.has(name) ? asked(name) : name))
  }
  const reshaped = new Set([...region].flatMap((position) => topology.nodes[position]!.output))
  graph.valueInfo = graph.valueInfo.filter(({ name }) => !reshaped.has(name))
  const ownEntries = [...entries].filter((entry) => !gathered.has(entry))
  graph.node.push(...ownEntries.map((entry) => makeNode('GatherND', [entry, positions], [asked(entry)])))
  return true
}

function isRowwise(node: NodeProto, isActivation: (name: string) => boolean): boolean {
  const { opType, input } = node
  if (/^(Simplified)?LayerNormalization$/.test(opType)) return LAST_AXES.has(axisOf(node))
  const isProduct = PRODUCTS.has(opType) && !isActivation(input[1]!)
  return isProduct || ROWWISE.has(opType) || isInt8Step(node)
}

function axisOf({ attribute }: NodeProto): number {
  return Number(attribute.find(({ name }) => name === 'axis')?.i ?? -1)
}

/** Whether nothing outside a region reads what it writes, except the tensor that it leads to. */
function isClosed(topology: Topology, region: Set<number>, tensor: string): boolean {
  return [...region].every((position) =>
    topology.nodes[position]!.output.every(
      (name) => name === tensor || (topology.consumers.get(name) ?? []).every((reader) => region.has(reader)),
    ),
  )
}

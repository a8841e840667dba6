import { DataLocation, type GraphProto, type NodeProto } from '../graph/onnx/onnx.js'
import { type Dimension, Shapes } from '../graph/shapes.js'

/** What a graph computes from its weights alone, before any token is read. */
export interface WeightValues {
  /** The nodes that compute it. */
  nodes: ReadonlySet<NodeProto>
  /** Whether a tensor is a stored weight or follows from weights alone. */
  isWeight: (tensor: string) => boolean
  /** The stored weight that a tensor is a cast of, or is itself; undefined if it is computed in another way. */
  storedAs: (tensor: string) => string | undefined
  /** @throws Error if the shape of a weight cannot be inferred */
  shapeOf: (tensor: string) => number[]
}

/** Separates what is computed from weights alone, once, from what is computed for each token. */
export function findWeightValues(graph: GraphProto): WeightValues {
  const shapes = new Shapes(graph)
  const stored = new Set(
    graph.initializer.filter(({ dataLocation }) => dataLocation === DataLocation.EXTERNAL).map(({ name }) => name),
  )
  // replaced weights and small constants
  const inline = new Set(graph.initializer.map(({ name }) => name).filter((name) => !stored.has(name)))
  const computed = new Map<string, NodeProto>()
  const nodes = new Set<NodeProto>()
  const isWeight = (tensor: string) => stored.has(tensor) || computed.has(tensor)
  for (const node of graph.node) {
    const inputs = node.input.filter((name) => name !== '')
    const isOfWeights = inputs.some(isWeight) && inputs.every((name) => isWeight(name) || inline.has(name))
    if (!isOfWeights) continue
    nodes.add(node)
    for (const name of node.output) computed.set(name, node)
  }
  const storedAs = (tensor: string): string | undefined => {
    if (stored.has(tensor)) return tensor
    const node = computed.get(tensor)
    return node?.opType === 'Cast' ? storedAs(node.input[0]!) : undefined
  }
  return { nodes, isWeight, storedAs, shapeOf: (tensor) => assertNumbers(shapes.of(tensor), tensor) }
}

function assertNumbers(shape: Dimension[] | undefined, tensor: string): number[] {
  if (shape?.every((size) => typeof size === 'number')) return shape
  throw new Error(`the shape of weight ${tensor} cannot be inferred`)
}

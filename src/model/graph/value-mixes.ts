import type { WeightProduct } from './int8/weight-products.js'
import { type GraphProto, type NodeProto, readInteger, type TensorProto } from './onnx/onnx.js'
import { indexGraph, type Topology } from './onnx/topology.js'
import { readIntegers } from './stored-matrix.js'

/** A value projection and the matrices that read attention's means of the values, with no change of channels in between. */
export interface ValueMix {
  /** Name of the value projection's matrix. */
  values: string
  /** Names of the matrices that read the means. */
  readers: string[]
  /** A divisor of the size of each head's values. */
  unit: number
}

/**
 * Finds value projections whose channels can be mixed linearly in groups of `unit` neighbours if the matrices that read
 * their means undo it. Attention with a bias, a norm or a gate after the values is not among them.
 */
export function findValueMixes(graph: GraphProto, products: WeightProduct[]): ValueMix[] {
  const topology = indexGraph(graph)
  const constants = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]))
  const uses = new Map<string, number>()
  for (const { matrix } of products) uses.set(matrix.name, (uses.get(matrix.name) ?? 0) + 1)
  const isUsedOnce = ({ matrix }: WeightProduct) => uses.get(matrix.name) === 1
  const productOf = new Map(products.map((product) => [product.node, product]))
  return products.flatMap((values) => {
    const found = followValues(values, productOf, { topology, constants })
    if (found === undefined || ![values, ...found.readers].every(isUsedOnce)) return []
    return [{ ...found, values: values.matrix.name, readers: found.readers.map(({ matrix }) => matrix.name) }]
  })
}

interface Context {
  topology: Topology
  constants: Map<string, TensorProto>
}

/** Products that read means of the values; undefined if anything else reads the values or other means are joined in. */
function followValues(
  { node, matrix }: WeightProduct,
  productOf: Map<NodeProto, WeightProduct>,
  { topology, constants }: Context,
): { readers: WeightProduct[]; unit: number } | undefined {
  const followed = new Set<string>([node.output[0]!])
  const joined: NodeProto[] = []
  const readers = new Map<NodeProto, WeightProduct>()
  let unit = matrix.outputs
  let isMixed = false
  for (const name of followed) {
    for (const position of topology.consumers.get(name) ?? []) {
      const reader = topology.nodes[position]!
      const product = productOf.get(reader)
      if (product !== undefined) {
        readers.set(reader, product)
        continue
      }
      const size = unitOf(reader, name, matrix.outputs, { topology, constants })
      if (size === null) return undefined
      unit = greatestDivisor(unit, size)
      isMixed ||= isMixture(reader, name, topology)
      if (reader.opType === 'Concat') joined.push(reader)
      followed.add(reader.output[0]!)
    }
  }
  const isComplete = joined.every(({ input }) => input.every((name) => followed.has(name)))
  return isMixed && isComplete ? { readers: [...readers.values()], unit } : undefined
}

/** Whether a node averages its input `name` over tokens. */
function isMixture({ opType, input }: NodeProto, name: string, { nodes, producer }: Topology): boolean {
  if (opType === 'GroupQueryAttention') return input[2] === name
  return opType === 'MatMul' && input[1] === name && nodes[producer.get(input[0]!) ?? -1]?.opType === 'Softmax'
}

/**
 * The number that a group's size must divide so that its channels are still neighbours after a node; null if the node
 * reorders or changes channels.
 * @param width of all heads' values
 */
function unitOf(reader: NodeProto, name: string, width: number, context: Context): number | null {
  const { opType, input, output } = reader
  const { topology, constants } = context
  if (isMixture(reader, name, topology)) {
    const returnsMore = output.slice(1).some((other) => topology.consumers.has(other))
    return returnsMore ? null : opType === 'MatMul' ? width : width / readInteger(reader, 'kv_num_heads')!
  }
  switch (opType) {
    case 'Reshape':
      return asWidth(readIntegers(input[1], constants)?.at(-1))
    case 'Transpose':
      return axesOf(reader).at(-1) === axesOf(reader).length - 1 ? width : null
    case 'Concat':
      return width
    case 'Slice': {
      const rank = axesOf(topology.nodes[topology.producer.get(name)!]!).length
      const axes = readIntegers(input[3], constants) ?? []
      return axes.length > 0 && axes.every((axis) => axis >= 0 && axis < rank - 1) ? width : null
    }
    default:
      return null
  }
}

function asWidth(size: number | undefined): number | null {
  return size !== undefined && size > 0 ? size : null
}

/** The order in which a node transposes axes; empty if it does not. */
function axesOf({ attribute }: NodeProto): number[] {
  return attribute.find(({ name }) => name === 'perm')?.ints.map(Number) ?? []
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b)
}

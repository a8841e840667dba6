import { FLOAT_DTYPES } from './element-types.js'
import {
  copyMessage,
  DataLocation,
  type DataType,
  type GraphProto,
  type ModelProto,
  makeValueInfo,
  type NodeProto,
  type TensorProto,
} from './onnx.js'
import { countDims, isHalfMatrix } from './weight-sizes.js'

/** The type of most numbers in a graph's stored matrices; undefined if there is no such matrix. */
export function findMatrixType({ initializer }: GraphProto): DataType | undefined {
  const counts = new Map<DataType, number>()
  for (const tensor of initializer) {
    const { dataType, dataLocation, dims } = tensor
    if (dataLocation !== DataLocation.EXTERNAL || dims.length < 2 || !FLOAT_DTYPES.has(dataType)) continue
    counts.set(dataType, (counts.get(dataType) ?? 0) + countDims(tensor))
  }
  const [first] = [...counts].sort(([, a], [, b]) => b - a)
  return first?.[0]
}

/**
 * Makes ONNX Runtime cast 16-bit matrices and compute packed weights in each run, so that they stay mapped from their
 * files: a matrix that is an input with a default is not a constant that can be folded. The casts come first in the list of nodes, because ONNX
 * Runtime computes the inputs of a node in reverse order of that list: one matrix is float32 at a time, not those of a
 * whole layer.
 * @param parts names of the initializers that packed weights are computed from
 * @returns a new model that shares nodes and weights with the given one
 */
export function castWeightsPerRun(model: ModelProto, parts: ReadonlySet<string> = new Set()): ModelProto {
  const graph = model.graph
  const initializers = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]))
  const kept = new Set<TensorProto>(graph.initializer.filter(({ name }) => parts.has(name)))
  const ofWeights = new Set<string>()
  const isOfWeights = ({ opType, input }: NodeProto) => {
    const stored = opType === 'Cast' ? initializers.get(input[0]!) : undefined
    if (stored && isHalfMatrix(stored)) {
      kept.add(stored)
      return true
    }
    const fromWeights = input.some((name) => ofWeights.has(name) || parts.has(name))
    return fromWeights && input.every((name) => ofWeights.has(name) || initializers.has(name))
  }
  const first: NodeProto[] = []
  const others: NodeProto[] = []
  for (const node of graph.node) {
    if (!isOfWeights(node)) {
      others.push(node)
      continue
    }
    first.push(node)
    for (const name of node.output) ofWeights.add(name)
  }
  const inputs = [...kept].map(({ name, dataType, dims }) => makeValueInfo(name, dataType, dims.map(Number)))
  const edited = { node: [...first, ...others], input: [...graph.input, ...inputs] }
  return copyMessage(model, { graph: copyMessage(graph, edited) })
}

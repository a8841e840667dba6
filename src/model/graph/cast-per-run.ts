import { FLOAT_DTYPES } from './onnx/element-types.js'
import {
  copyMessage,
  DataLocation,
  type DataType,
  type GraphProto,
  type ModelProto,
  makeValueInfo,
  type NodeProto,
} from './onnx/onnx.js'
import { countDims, isHalfMatrix } from './weight-sizes.js'

/** The most common type in a graph's stored matrices, by numbers; undefined if there is no such matrix. */
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
 * Makes ONNX Runtime cast 16-bit matrices and decode packed weights in each run, so that they stay memory-mapped.
 * @param parts names of the initializers that packed weights are computed from
 * @returns a new model that shares nodes and weights with the given one
 */
export function castWeightsPerRun(model: ModelProto, parts: ReadonlySet<string> = new Set()): ModelProto {
  const { initializer, node } = model.graph
  const halves = new Set(initializer.filter(isHalfMatrix).map(({ name }) => name))
  const casts = node.flatMap(({ opType, input }) => (opType === 'Cast' && halves.has(input[0]!) ? input : []))
  return computeWeightsPerRun(model, new Set([...parts, ...casts]))
}

/**
 * Prevents constant folding of weights: ONNX Runtime does not fold a weight that is an input with a default. The nodes
 * that read such weights come first in the list, because ONNX Runtime computes the inputs of a node in reverse list
 * order: then one matrix at a time is float32, not those of a whole layer.
 * @param names the initializers that stay memory-mapped
 * @returns a new model that shares nodes and weights with the given one
 */
export function computeWeightsPerRun(model: ModelProto, names: ReadonlySet<string>): ModelProto {
  const { graph } = model
  const initializers = new Set(graph.initializer.map(({ name }) => name))
  const ofWeights = new Set<string>(names)
  const isOfWeights = ({ input }: NodeProto) =>
    input.some((name) => ofWeights.has(name)) && input.every((name) => ofWeights.has(name) || initializers.has(name))
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
  const inputs = graph.initializer
    .filter(({ name }) => names.has(name))
    .map(({ name, dataType, dims }) => makeValueInfo(name, dataType, dims.map(Number)))
  const edited = { node: [...first, ...others], input: [...graph.input, ...inputs] }
  return copyMessage(model, { graph: copyMessage(graph, edited) })
}

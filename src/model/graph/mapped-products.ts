import { computeWeightsPerRun } from './cast-per-run.js'
import { isTransposedProduct } from './int8/weight-products.js'
import { FLOAT_DTYPES } from './onnx/element-types.js'
import {
  copyMessage,
  DataLocation,
  type GraphProto,
  MICROSOFT_DOMAIN,
  type ModelProto,
  makeInt64Tensor,
  makeNode,
  type NodeProto,
  type TensorProto,
} from './onnx/onnx.js'
import { indexGraph, type Topology } from './onnx/topology.js'

/**
 * Outputs per tile of a matrix. ONNX Runtime sums a product of at least 2 rows with this many outputs in runs of 256
 * inputs, as for packed matrices; with more outputs it sums in runs of 128.
 */
const TILE_OUTPUTS = 64

type MatrixSize = [outputs: number, inputs: number]

/** Fewest rows for which a product equals that of a packed matrix: a single row is summed in another order. */
export const LEAST_ROWS = 2

/**
 * Matrices that products can read as stored, by name: [outputs, inputs], read by nothing else, divisible into tiles.
 * Experts' matrices are omitted, because an expert may get a single row.
 */
export function findMappableMatrices(graph: GraphProto): Map<string, TensorProto> {
  const topology = indexGraph(graph)
  const routed = findRouted(topology)
  const isMappable = ({ name, dataType, dataLocation, dims }: TensorProto) =>
    dataLocation === DataLocation.EXTERNAL &&
    FLOAT_DTYPES.has(dataType) &&
    dims.length === 2 &&
    Number(dims[0]) % TILE_OUTPUTS === 0 &&
    findReaders(name, topology).every((node) => isTransposedProduct(node) && !routed.has(node.input[0]!))
  return new Map(graph.initializer.filter(isMappable).map((tensor) => [tensor.name, tensor]))
}

/**
 * Keeps the matrices of `findMappableMatrices` memory-mapped: they are not packed, and 16-bit ones are cast to float32 in
 * each run. Each is divided into tiles, so that a product of at least LEAST_ROWS rows equals that of a packed matrix
 * bit for bit.
 * @returns a new model that shares nodes and weights with the given one
 */
export function mapMatrices(model: ModelProto): ModelProto {
  const { graph } = model
  const matrices = findMappableMatrices(graph)
  const topology = indexGraph(graph)
  const sizes = new Map<NodeProto, MatrixSize>()
  for (const [name, { dims }] of matrices) {
    for (const product of findReaders(name, topology)) sizes.set(product, dims.map(Number) as MatrixSize)
  }
  const constants = new Map<string, TensorProto>()
  const node = graph.node.flatMap((node) => {
    const size = sizes.get(node)
    return size === undefined ? [node] : writeTiles(node, size, constants)
  })
  const initializer = graph.initializer.map((tensor) =>
    matrices.has(tensor.name) ? copyMessage(tensor, { dims: tileDims(tensor.dims.map(Number) as MatrixSize) }) : tensor,
  )
  const edited = { node, initializer: [...initializer, ...constants.values()] }
  const tiled = copyMessage(model, { graph: copyMessage(graph, edited) })
  return computeWeightsPerRun(tiled, new Set(matrices.keys()))
}

/** The nodes that read a matrix or its cast. */
function findReaders(name: string, topology: Topology): NodeProto[] {
  const readers = (topology.consumers.get(name) ?? []).map((position) => topology.nodes[position]!)
  return readers.flatMap((node) => (node.opType === 'Cast' ? findReaders(node.output[0]!, topology) : [node]))
}

/** Tensors with one row for each token that a router sends to an expert. */
function findRouted({ nodes, producer }: Topology): Set<string> {
  const routed = new Set<string>()
  for (const { opType, input, output } of nodes) {
    const isDivided = opType === 'Split' && producer.has(input[1] ?? '')
    if (!isDivided && (opType === 'Concat' || !input.some((name) => routed.has(name)))) continue
    for (const name of output) routed.add(name)
  }
  return routed
}

function tileDims([outputs, inputs]: MatrixSize): bigint[] {
  return [outputs / TILE_OUTPUTS, TILE_OUTPUTS, inputs].map(BigInt)
}

/** Nodes that replace a product with a matrix by products with its tiles. */
function writeTiles(product: NodeProto, size: MatrixSize, constants: Map<string, TensorProto>): NodeProto[] {
  const [tokens, matrix] = product.input as [string, string]
  const [output] = product.output as [string]
  const [outputs, inputs] = size
  const name = (part: string) => `${output}/tiles/${part}`
  const integers = (values: number[]) => {
    const tensor = makeInt64Tensor(`layerprune.tiles:${values}`, [values.length], values)
    constants.set(tensor.name, tensor)
    return tensor.name
  }
  const [rows, tiles, byRow, axes, shape] = ['rows', 'products', 'by_row', 'axes', 'shape'].map(name)
  return [
    makeNode('Reshape', [tokens, integers([1, -1, inputs])], [rows!]),
    makeNode('FusedMatMul', [rows!, matrix], [tiles!], { transB: 1 }, MICROSOFT_DOMAIN),
    makeNode('Transpose', [tiles!], [byRow!], { perm: [1, 0, 2] }),
    makeNode('Shape', [tokens], [axes!], { end: -1 }),
    makeNode('Concat', [axes!, integers([outputs])], [shape!], { axis: 0 }),
    makeNode('Reshape', [byRow!, shape!], [output]),
  ]
}

import { LayerpruneError } from '../../base/errors.js'
import type { DecoderGraph } from '../graph/decoder-graph.js'
import { integerAttribute } from '../graph/onnx/constants.js'
import { GraphWriter } from '../graph/onnx/graph-writer.js'
import { cloneModel, copyMessage, DataType, makeNode, makeValueInfo, type NodeProto } from '../graph/onnx/onnx.js'
import { indexGraph } from '../graph/onnx/topology.js'
import { findStoredMatrix, type OutputRange, type StoredMatrix } from '../graph/stored-matrix.js'
import { readStoredPart } from '../graph/stored-part.js'
import type { TrainedWeight } from './trained.js'

/** Low-rank adapters (Hu et al. 2021, arXiv 2106.09685), with PEFT's names. */
export interface AdapterForm {
  rank: number
  /** The adapters' output is scaled by alpha / rank. */
  alpha: number
}

/** The adapter of a module: it adds scale * B A x to the module's product W x. */
export interface Adapter {
  /** Path of the module, such as `model.layers.0.mlp.up_proj`. */
  module: string
  /** Name of the module's matrix in the checkpoint. */
  weight: string
  scale: number
  /** Whether the matrix is stored as [outputs, inputs], as PyTorch's Linear stores it. */
  outputsFirst: boolean
  /** [rank, inputs] */
  into: TrainedWeight
  /** [outputs, rank] */
  back: TrainedWeight
}

interface FoundProduct {
  node: NodeProto
  stored: StoredMatrix
  tensor: string
  byOutput: boolean
  /** The module's outputs that the product computes, in its order. */
  taken: OutputRange[]
}

/**
 * Adds low-rank adapters to modules; their matrices are inputs of the graph.
 * @param modules paths of modules with a matrix that tokens are multiplied by
 * @returns a new graph; the given one is not changed
 * @throws LayerpruneError if the graph uses the matrix of a module in any other way
 */
export function addAdapters(
  decoder: DecoderGraph,
  modules: readonly string[],
  { rank, alpha }: AdapterForm,
): { decoder: DecoderGraph; adapters: Adapter[] } {
  const model = cloneModel(decoder.model)
  const graph = model.graph
  const weights = new Map(modules.map((module) => [`${module}.weight`, module]))
  const products = findProducts(decoder, weights)
  const adapters = modules.map((module) => {
    const own = products.filter(({ tensor }) => weights.get(tensor) === module)
    return makeAdapter(module, own, { rank, scale: alpha / rank })
  })
  const byWeight = new Map(adapters.map((adapter) => [adapter.weight, adapter]))
  const byNode = new Map(products.map((product) => [product.node.output[0]!, product]))
  const writer = new GraphWriter()
  const projected = new Map<string, string>()
  for (const node of graph.node) {
    const product = byNode.get(node.output[0]!)
    if (product === undefined) {
      writer.nodes.push(node)
      continue
    }
    const adapter = byWeight.get(product.tensor)!
    writer.inScope(`${adapter.module}.adapter`, () => writeAdapter(writer, node, product, adapter, projected))
  }
  graph.node = []
  writer.addTo(graph)
  for (const { into, back } of adapters) {
    for (const { name, shape } of [into, back]) {
      graph.input.push(makeValueInfo(name, DataType.FLOAT, shape))
    }
  }
  return { decoder: { ...decoder, model }, adapters }
}

function findProducts(decoder: DecoderGraph, weights: ReadonlyMap<string, string>): FoundProduct[] {
  const graph = decoder.model.graph
  const topology = indexGraph(graph)
  const initializers = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]))
  return graph.node.flatMap((node): FoundProduct[] => {
    if (node.opType !== 'MatMul' && node.opType !== 'FusedMatMul') return []
    const byOutput = integerAttribute(node, 'transB', 0) === 1
    const stored = findStoredMatrix(node.input[1]!, byOutput, initializers, topology)
    if (stored === undefined) return []
    const { tensor, rows } = readStoredPart(stored.tensor.name)
    if (!weights.has(tensor)) return []
    const first = rows?.[0] ?? 0
    const taken = stored.taken.map(([start, end]): OutputRange => [start + first, end + first])
    return [{ node, stored, tensor, byOutput, taken }]
  })
}

function makeAdapter(
  module: string,
  products: FoundProduct[],
  { rank, scale }: { rank: number; scale: number },
): Adapter {
  const [product] = products
  if (product === undefined) {
    throw new LayerpruneError(`${module} cannot have an adapter: no plain product has its weight`, {
      hint: 'choose other modules with `targets`',
    })
  }
  const { inputs } = product.stored
  const outputs = Math.max(...products.flatMap(({ taken }) => taken.map(([, end]) => end)))
  return {
    module,
    weight: product.tensor,
    scale,
    outputsFirst: product.byOutput,
    into: { name: `${module}.lora_A.weight`, shape: [rank, inputs] },
    back: { name: `${module}.lora_B.weight`, shape: [outputs, rank] },
  }
}

/** A product plus its adapter's output, under the product's name. */
function writeAdapter(
  writer: GraphWriter,
  node: NodeProto,
  { taken }: FoundProduct,
  { into, back, scale }: Adapter,
  projected: Map<string, string>,
): void {
  const [input] = node.input as [string]
  const [output] = node.output as [string]
  const frozen = `${output}/frozen`
  writer.nodes.push(copyMessage(node, { name: frozen, output: [frozen] }))
  const key = `${input} ${into.name}`
  const low = projected.get(key) ?? writer.op('FusedMatMul', [input, into.name], { transB: 1 })
  projected.set(key, low)
  const added = writer.op('FusedMatMul', [low, takeRows(writer, back, taken)], {
    transB: 1,
    alpha: { float: scale },
  })
  writer.nodes.push(makeNode('Add', [frozen, added], [output]))
}

/** Some rows of a trained matrix. */
export function takeRows(writer: GraphWriter, { name, shape }: TrainedWeight, taken: OutputRange[]): string {
  const [only] = taken
  if (taken.length === 1 && only![0] === 0 && only![1] === shape[0]) return name
  const parts = taken.map(([start, end]) =>
    writer.op('Slice', [name, ...[start, end, 0].map((value) => writer.integers([value]))]),
  )
  return parts.length === 1 ? parts[0]! : writer.op('Concat', parts, { axis: 0 })
}

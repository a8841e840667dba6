import { join } from 'node:path'
import type { WeightExpression } from '../../../files/checkpoint/weight-expression.js'
import type { DecoderGraph } from '../decoder-graph.js'
import { FLOAT_DTYPES } from '../onnx/element-types.js'
import { getExternalData } from '../onnx/external-data.js'
import { DataLocation, type DataType, type NodeProto, type TensorProto } from '../onnx/onnx.js'
import { indexGraph, nodesUpstream, type Topology } from '../onnx/topology.js'
import { findStoredMatrix, type OutputRange } from '../stored-matrix.js'
import { countDims, ELEMENT_BITS } from '../weight-sizes.js'

/** Where the numbers of a weight are stored, row by row, or the expression that computes them. */
export type StoredNumbers =
  | { file: string; offsetBytes: number; sizeBytes: number; dataType: DataType }
  | { expression: WeightExpression }

/** A weight matrix of a decoder that tokens are multiplied by. */
export interface WeightMatrix {
  name: string
  numbers: StoredNumbers
  inputs: number
  outputs: number
  /** Whether it is stored as [outputs, inputs]. */
  byOutput: boolean
  /** If it is part of a larger stored matrix: the outputs of that matrix, and which of them belong to this one. */
  part: { of: number; taken: OutputRange[] } | null
}

/** A node that multiplies tokens, its first input, by a weight matrix. */
export interface WeightProduct {
  node: NodeProto
  matrix: WeightMatrix
}

/** Routers choose the experts of a token: an error there has large effects. */
const ROUTER = /router|[._]gate\./

/**
 * Finds the weight matrices that the layers multiply tokens by; those of queries, keys and values are separate. The
 * head and the routers of experts are omitted.
 */
export function findWeightMatrices(decoder: DecoderGraph): WeightMatrix[] {
  const products = findWeightProducts(decoder, indexGraph(decoder.model.graph))
  return [...new Map(products.map(({ matrix }) => [matrix.name, matrix])).values()]
}

/** The products with the matrices of `findWeightMatrices`, in the order of the graph's nodes. */
export function findWeightProducts(decoder: DecoderGraph, topology: Topology): WeightProduct[] {
  const { model, states } = decoder
  const graph = model.graph
  const initializers = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]))
  const upstream = [...nodesUpstream(topology, [states.at(-1)!])].sort((a, b) => a - b)
  return upstream.flatMap((position) => {
    const node = topology.nodes[position]!
    const byOutput = isTransposedProduct(node)
    if (node.opType !== 'MatMul' && !byOutput) return []
    const stored = findStoredMatrix(node.input[1]!, byOutput, initializers, topology)
    if (stored === undefined || ROUTER.test(stored.tensor.name)) return []
    const { tensor, inputs, outputs, taken } = stored
    if (tensor.dataLocation !== DataLocation.EXTERNAL || !FLOAT_DTYPES.has(tensor.dataType)) return []
    const own = taken.reduce((sum, [start, end]) => sum + end - start, 0)
    const isWhole = taken.length === 1 && own === outputs
    const matrix = {
      name: isWhole ? tensor.name : node.input[1]!,
      numbers: locateNumbers(decoder, tensor),
      inputs,
      outputs: own,
      byOutput,
      part: isWhole ? null : { of: outputs, taken },
    }
    return [{ node, matrix }]
  })
}

/** @param tensor external */
function locateNumbers({ weightsFolder, packed }: DecoderGraph, tensor: TensorProto): StoredNumbers {
  const expression = packed?.get(tensor.name)
  if (expression !== undefined) return { expression }
  const { location, offsetBytes } = getExternalData(tensor)
  const { dataType } = tensor
  const sizeBytes = (countDims(tensor) * ELEMENT_BITS.get(dataType)!) / 8
  return { file: join(weightsFolder, location), offsetBytes, sizeBytes, dataType }
}

/** Whether a node multiplies by a matrix that is stored as [outputs, inputs]. */
export function isTransposedProduct({ opType, attribute }: NodeProto): boolean {
  return opType === 'FusedMatMul' && attribute.every(({ name, i }) => name === 'transB' && i === 1n)
}

/** Finds by structure the names of the weight matrices that make attention's values. */
export function findValueMatrices(products: WeightProduct[], { nodes, producer }: Topology): Set<string> {
  const matrixAt = new Map(products.map(({ node, matrix }) => [producer.get(node.output[0]!)!, matrix.name]))
  const mixed = nodes.flatMap(({ opType, input }) => {
    if (opType === 'GroupQueryAttention') return [input[2]!]
    const isMixture = opType === 'MatMul' && nodes[producer.get(input[0]!) ?? -1]?.opType === 'Softmax'
    return isMixture ? [input[1]!] : []
  })
  const writers = (name: string) => producer.get(name) ?? []
  const firstProducts = (values: string): string[] => {
    const seen = new Set([writers(values)].flat())
    for (const position of seen) {
      if (matrixAt.has(position)) continue
      for (const writer of nodes[position]!.input.flatMap(writers)) seen.add(writer)
    }
    return [...seen].flatMap((position) => matrixAt.get(position) ?? [])
  }
  return new Set(mixed.flatMap(firstProducts))
}

/** The matrices of a gated MLP: `down` reads the output of `up` times an activation function of the output of `gate`. */
export interface GatedMlp {
  up: WeightMatrix
  gate: WeightMatrix
  down: WeightMatrix
}

/** Finds gated MLPs by structure; nothing else may read the tensors between their matrices. */
export function findGatedMlps(products: WeightProduct[], { nodes, producer, consumers }: Topology): GatedMlp[] {
  const matrices = new Map(products.map(({ node, matrix }) => [node.output[0]!, matrix]))
  const isReadOnce = (name: string) => consumers.get(name)!.length === 1
  const uses = new Map<string, number>()
  for (const { matrix } of products) uses.set(matrix.name, (uses.get(matrix.name) ?? 0) + 1)
  const isUsedOnce = ({ name }: WeightMatrix) => uses.get(name) === 1
  const matrixBehind = (name: string): WeightMatrix | undefined => {
    const writer = nodes[producer.get(name) ?? -1]
    return matrices.get(name) ?? (writer && matrixBehind(writer.input[0]!))
  }
  return products.flatMap(({ node, matrix: down }) => {
    const gated = nodes[producer.get(node.input[0]!) ?? -1]
    if (gated?.opType !== 'Mul' || !gated.output.every(isReadOnce)) return []
    const linear = gated.input.find((name) => matrices.has(name) && isReadOnce(name))
    const other = gated.input.find((name) => name !== linear)
    if (linear === undefined || other === undefined) return []
    const up = matrices.get(linear)!
    const gate = matrixBehind(other)
    if (gate?.outputs !== up.outputs || !isUsedOnce(up) || !isUsedOnce(down)) return []
    return [{ up, gate, down }]
  })
}

/** Inputs of LinearAttention: how fast a state fades, and how far a token moves it. */
const RATE_INPUTS = [4, 5]

/**
 * Positions of the nodes whose outputs are used only as rates of linear attention, where errors accumulate over all
 * later tokens. Their matrices are small: a few outputs per head.
 */
export function findRateNodes(topology: Topology): Set<number> {
  const { nodes, consumers } = topology
  const rates = nodes.flatMap(({ opType, input }) =>
    opType === 'LinearAttention' ? RATE_INPUTS.flatMap((index) => input[index] ?? []) : [],
  )
  const found = new Set<number>()
  const isRate = (name: string, reader: number): boolean => {
    const { opType, input } = nodes[reader]!
    if (opType !== 'LinearAttention') return found.has(reader)
    return input.every((other, index) => other !== name || RATE_INPUTS.includes(index))
  }
  const upstream = [...nodesUpstream(topology, rates)].sort((a, b) => b - a)
  for (const position of upstream) {
    const readers = nodes[position]!.output.map((name) => ({ name, positions: consumers.get(name) ?? [] }))
    const isForRates = readers.every(
      ({ name, positions }) => positions.length > 0 && positions.every((reader) => isRate(name, reader)),
    )
    if (isForRates) found.add(position)
  }
  return found
}

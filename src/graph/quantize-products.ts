import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { TensorProtoSchema } from 'onnx-buf'
import type { DecoderGraph } from './decoder-graph.js'
import { FLOAT_DTYPES } from './element-types.js'
import { type ExternalData, getExternalData, setExternalData } from './external-data.js'
import {
  BATCH,
  cloneModel,
  DataLocation,
  DataType,
  type GraphProto,
  MICROSOFT_DOMAIN,
  makeFloatTensor,
  makeInt64Tensor,
  makeNode,
  makeValueInfo,
  type NodeProto,
  type TensorProto,
  TOKENS,
  type ValueInfoProto,
} from './onnx.js'
import { findStoredMatrix, type OutputRange } from './stored-matrix.js'
import {
  indexGraph,
  nodesDownstream,
  nodesUpstream,
  removeDeadNodes,
  sortNodes,
  type Topology,
} from './topology.js'
import { ELEMENT_BITS } from './weight-sizes.js'

/** A weight matrix of a decoder that tokens are multiplied with. */
export interface WeightMatrix {
  name: string
  /** Where its numbers lie, row by row. */
  file: string
  offsetBytes: number
  sizeBytes: number
  dataType: DataType
  inputs: number
  outputs: number
  /** Whether it lies as [outputs, inputs]. */
  byOutput: boolean
  /** Of a matrix that is stored as a part of a larger one: how many outputs that has, and which of them are its own. */
  part: { of: number; taken: OutputRange[] } | null
}

/** The same in 8 bits: int8 [inputs, outputs] at one place of a file, a float32 scale for each output at another. */
export interface QuantizedMatrix {
  values: ExternalData
  scales: ExternalData
}

const PREFIX = 'layerprune.int8'
const ZERO_POINT = `${PREFIX}.zero_point`
const ONE = `${PREFIX}.one`
const REST_SCALE = `${PREFIX}.rest_scale`
const LARGEST = `${PREFIX}.largest`
const SMALLEST_SCALE = `${PREFIX}.smallest_scale`
const LAST_AXIS = `${PREFIX}.last_axis`
const EVERY_ROW = `${PREFIX}.every_row`
/** Name of a dimension: batch times tokens. */
const ROWS = `${PREFIX}.rows`

/** What decides which experts a token goes to: an error there is no small one. */
const ROUTER = /router|[._]gate\./

/**
 * Finds the weight matrices that the layers multiply tokens with, those of queries, keys and values each for itself.
 * The head is left out, and so is what chooses experts.
 */
export function findWeightMatrices(decoder: DecoderGraph): WeightMatrix[] {
  const products = findProducts(decoder, indexGraph(decoder.model.graph!))
  return [...new Map(products.map(({ matrix }) => [matrix.name, matrix])).values()]
}

/**
 * Multiplies with weights of 8 bits: each token is rounded to 8 bits by a scale of its own, which its products share,
 * and the products are summed exactly in 32 bits.
 *
 * What rounding leaves over of a token is rounded and multiplied too. A few channels of a token are far larger than
 * the others, which then have few steps left: with one rounding alone, distances of SmolLM2 move by 0.003.
 * @param quantized by name of the matrix, in files named relative to the decoder's `weightsFolder`
 * @returns a new graph; the given one is not changed
 */
export function quantizeProducts(
  decoder: DecoderGraph,
  quantized: Map<string, QuantizedMatrix>,
): DecoderGraph {
  const model = cloneModel(decoder.model)
  const graph = model.graph!
  const topology = indexGraph(graph)
  const products = findProducts(decoder, topology)
  const isOfAllTokens = findTensorsOfAllTokens(topology)
  const constants = graph.initializer
  const rounded = new Map<string, RoundedTensor>()
  const added = new Set<string>()
  const replacements = new Map<NodeProto, NodeProto[]>()
  for (const { node, matrix } of products) {
    const input = node.input[0]!
    const nodes: NodeProto[] = []
    if (!rounded.has(input)) {
      const rows = roundRows(input, matrix.inputs)
      nodes.push(...rows.nodes)
      if (isOfAllTokens(input)) graph.valueInfo.push(...rows.valueInfos)
      rounded.set(input, rows)
    }
    const { values, rests, scales } = rounded.get(input)!
    const weight = `${matrix.name}.int8`
    if (!added.has(weight)) {
      added.add(weight)
      const place = quantized.get(matrix.name)!
      constants.push(
        makeExternalTensor(weight, DataType.INT8, [matrix.inputs, matrix.outputs], place.values),
        makeExternalTensor(`${weight}.scales`, DataType.FLOAT, [matrix.outputs], place.scales),
      )
    }
    const multiply = (factor: string, scale: string, part: string) => {
      const product = `${node.output[0]}/int8.${part}`
      const inputs = [factor, weight, scale, `${weight}.scales`, ZERO_POINT]
      nodes.push(makeNode('MatMulIntegerToFloat', inputs, [product], {}, MICROSOFT_DOMAIN))
      return product
    }
    const sum = `${node.output[0]}/int8.sum`
    nodes.push(
      makeNode('Add', [multiply(values, ONE, 'values'), multiply(rests, REST_SCALE, 'rests')], [sum]),
      makeNode('Mul', [sum, scales], [node.output[0]!]),
    )
    replacements.set(node, nodes)
  }
  graph.node = graph.node.flatMap((node) => replacements.get(node) ?? [node])
  constants.push(...makeConstants(), ...widthsOf(products))
  sortNodes(graph)
  removeDeadNodes(graph)
  return { ...decoder, model }
}

interface Product {
  node: NodeProto
  matrix: WeightMatrix
}

function findProducts({ model, states, weightsFolder }: DecoderGraph, topology: Topology): Product[] {
  const graph = model.graph!
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
    const { location, offsetBytes } = getExternalData(tensor)
    const matrix = {
      name: isWhole ? tensor.name : node.input[1]!,
      file: join(weightsFolder, location),
      offsetBytes,
      sizeBytes: (inputs * outputs * ELEMENT_BITS.get(tensor.dataType)!) / 8,
      dataType: tensor.dataType,
      inputs,
      outputs: own,
      byOutput,
      part: isWhole ? null : { of: outputs, taken },
    }
    return [{ node, matrix }]
  })
}

function isTransposedProduct({ opType, attribute }: NodeProto): boolean {
  return opType === 'FusedMatMul' && attribute.every(({ name, i }) => name === 'transB' && i === 1n)
}

/** A tensor [..., width] in twice 8 bits: values, and what they leave over in steps of a 254th. */
interface RoundedTensor {
  values: string
  rests: string
  /** Of each row, [..., 1]. */
  scales: string
  nodes: NodeProto[]
  /**
   * Dimensions that ONNX Runtime does not infer, right where the tensor is [batch, tokens, width]: without them it
   * reuses no buffer after this, and takes seconds to look for one.
   */
  valueInfos: ValueInfoProto[]
}

function roundRows(input: string, width: number): RoundedTensor {
  const nodes: NodeProto[] = []
  const name = (part: string) => `${input}/int8.${part}`
  const add = (opType: string, inputs: string[], part: string, attributes: Record<string, number> = {}) => {
    nodes.push(makeNode(opType, inputs, [name(part)], attributes))
    return name(part)
  }
  const highest = add('ReduceMax', [input, LAST_AXIS], 'highest', { keepdims: 1 })
  const lowest = add('Neg', [add('ReduceMin', [input, LAST_AXIS], 'lowest', { keepdims: 1 })], 'depth')
  const exact = add('Div', [add('Max', [highest, lowest], 'peak'), LARGEST], 'exact_scale')
  const scales = add('Max', [exact, SMALLEST_SCALE], 'scale')
  const perRow = add('Reshape', [scales, EVERY_ROW], 'scale_of_row')
  const zeroPoints = add('Expand', [ZERO_POINT, add('Shape', [perRow], 'row_count')], 'zero_point_of_row')
  const rows = add('Reshape', [input, widthName(width)], 'rows')
  const rounded = add('QuantizeLinear', [rows, perRow, zeroPoints], 'rounded_rows', { axis: 0 })
  const known = add('DequantizeLinear', [rounded, perRow, zeroPoints], 'known_rows', { axis: 0 })
  const left = add('Sub', [rows, known], 'left_rows')
  const restScale = add('Mul', [perRow, REST_SCALE], 'rest_scale_of_row')
  const rests = add('QuantizeLinear', [left, restScale, zeroPoints], 'rest_rows', { axis: 0 })
  const shape = add('Shape', [input], 'shape')
  const shaped = [
    add('Reshape', [rounded, shape], 'values'),
    add('Reshape', [rests, shape], 'rests'),
  ] as const
  const describe = (names: readonly string[], type: DataType, dimensions: (string | number)[]) =>
    names.map((name) => makeValueInfo(name, type, dimensions))
  const valueInfos = [
    ...describe([perRow, restScale], DataType.FLOAT, [ROWS]),
    ...describe([zeroPoints], DataType.UINT8, [ROWS]),
    ...describe([rows, known, left], DataType.FLOAT, [ROWS, width]),
    ...describe([rounded, rests], DataType.UINT8, [ROWS, width]),
    ...describe(shaped, DataType.UINT8, [BATCH, TOKENS, width]),
  ]
  return { values: shaped[0], rests: shaped[1], scales, nodes, valueInfos }
}

/** Tells of tensors whether they hold all tokens; those that an expert is given, and all after that, are not known to. */
function findTensorsOfAllTokens(topology: Topology): (name: string) => boolean {
  const choices = topology.nodes.filter(({ opType }) => opType === 'TopK').flatMap(({ output }) => output)
  const chosen = nodesDownstream(topology, choices)
  return (name) => !chosen.has(topology.producer.get(name)!)
}

function widthName(width: number): string {
  return `${PREFIX}.rows_of_${width}`
}

function widthsOf(products: Product[]): TensorProto[] {
  const widths = new Set(products.map(({ matrix }) => matrix.inputs))
  return [...widths].map((width) => makeInt64Tensor(widthName(width), [2], [-1, width]))
}

function makeConstants(): GraphProto['initializer'] {
  return [
    create(TensorProtoSchema, { name: ZERO_POINT, dataType: DataType.UINT8, rawData: Uint8Array.of(128) }),
    makeFloatTensor(ONE, [], [1]),
    makeFloatTensor(REST_SCALE, [], [1 / 254]),
    makeFloatTensor(LARGEST, [], [127]),
    makeFloatTensor(SMALLEST_SCALE, [], [1e-30]),
    makeInt64Tensor(LAST_AXIS, [1], [-1]),
    makeInt64Tensor(EVERY_ROW, [1], [-1]),
  ]
}

function makeExternalTensor(
  name: string,
  dataType: DataType,
  dims: number[],
  place: ExternalData,
): TensorProto {
  const tensor = create(TensorProtoSchema, { name, dataType, dims: dims.map(BigInt) })
  setExternalData(tensor, place)
  return tensor
}

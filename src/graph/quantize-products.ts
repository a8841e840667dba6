import { create } from '@bufbuild/protobuf'
import { TensorProtoSchema } from 'onnx-buf'
import type { DecoderGraph } from './decoder-graph.js'
import { type ExternalData, setExternalData } from './external-data.js'
import {
  BATCH,
  cloneModel,
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
import { indexGraph, nodesDownstream, removeDeadNodes, sortNodes, type Topology } from './topology.js'
import { findWeightProducts, type WeightProduct } from './weight-products.js'

/** A weight matrix in 8 bits, and how it is multiplied with. */
export interface QuantizedMatrix {
  /** int8 [inputs, outputs] */
  values: ExternalData
  /** What rounding left over of each weight, in steps of a 254th, of the same form; null where that is given up. */
  rests: ExternalData | null
  /** float32 [outputs]: what a value of 1 stands for. */
  scales: ExternalData
  /** Whether what rounding leaves over of a token is multiplied too. */
  keepsTokenRests: boolean
  /** Size of the blocks of inputs that tokens are rotated in before they are rounded; null where they are not. */
  block: number | null
}

const PREFIX = 'layerprune.int8'
const ZERO_POINT = `${PREFIX}.zero_point`
const ZERO = `${PREFIX}.zero`
const ONE = `${PREFIX}.one`
const REST_SCALE = `${PREFIX}.rest_scale`
const LARGEST = `${PREFIX}.largest`
const SMALLEST_SCALE = `${PREFIX}.smallest_scale`
const LAST_AXIS = `${PREFIX}.last_axis`
const FIRST = `${PREFIX}.first`
const SECOND = `${PREFIX}.second`
const EVERY_ROW = `${PREFIX}.every_row`
/** Name of a dimension: batch times tokens. */
const ROWS = `${PREFIX}.rows`
/** Stands in the names of all that is computed between a tensor and its product with a matrix. */
const STEP = '/int8.'

/** The initializer that a graph with rotated blocks lacks: the rotation, float32 [block, block], which rows are multiplied with. */
export function blockRotation(block: number): string {
  return `${PREFIX}.rotation_of_${block}`
}

/** Whether a node is a step of an int8 product: whatever form tokens come in, it works on each by itself. */
export function isInt8Step({ output }: NodeProto): boolean {
  return output[0]!.includes(STEP)
}

/**
 * Multiplies with weights of 8 bits: each token is rounded to 8 bits by a scale of its own, which its products share,
 * and the products are summed exactly in 32 bits. Rests of weights or tokens cost a product more each; that of one
 * rest with the other is left out.
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
  const products = findWeightProducts(decoder, topology)
  const isOfAllTokens = findTensorsOfAllTokens(topology)
  const rounded = new Map<string, RoundedTensor>()
  const weights = new Map<string, TensorProto>()
  const replacements = new Map<NodeProto, NodeProto[]>()
  for (const { node, matrix } of products) {
    const input = node.input[0]!
    const nodes: NodeProto[] = []
    const { rests, keepsTokenRests, block, ...places } = quantized.get(matrix.name)!
    const multiplied = block === null ? input : rotatedName(input)
    if (!rounded.has(multiplied)) {
      if (block !== null) nodes.push(...rotateBlocks(input, block))
      const rows = roundRows(multiplied, matrix.inputs, isOfAllTokens(input))
      nodes.push(...rows.nodes)
      graph.valueInfo.push(...rows.valueInfos)
      rounded.set(multiplied, rows)
    }
    const addWeight = (part: string, dataType: DataType, dims: number[], place: ExternalData) => {
      const name = `${matrix.name}.int8${part}`
      weights.set(name, makeExternalTensor(name, dataType, dims, place))
      return name
    }
    const dims = [matrix.inputs, matrix.outputs]
    const scales = addWeight('.scales', DataType.FLOAT, [matrix.outputs], places.scales)
    const multiply = (part: string, tokens: string, weight: string, scale: string) => {
      const product = `${node.output[0]}${STEP}${part}`
      const inputs = [tokens, weight, scale, scales, ZERO_POINT]
      nodes.push(makeNode('MatMulIntegerToFloat', inputs, [product], {}, MICROSOFT_DOMAIN))
      return product
    }
    const tokens = rounded.get(multiplied)!
    const weight = addWeight('', DataType.INT8, dims, places.values)
    const parts = [multiply('values', tokens.values, weight, ONE)]
    if (keepsTokenRests) parts.push(multiply('token_rests', tokens.rests, weight, REST_SCALE))
    if (rests !== null) {
      const weightRests = addWeight('.rests', DataType.INT8, dims, rests)
      parts.push(multiply('weight_rests', tokens.values, weightRests, REST_SCALE))
    }
    const sum = parts.reduce((sum, part) => {
      nodes.push(makeNode('Add', [sum, part], [`${part}.sum`]))
      return `${part}.sum`
    })
    nodes.push(makeNode('Mul', [sum, tokens.scales], [node.output[0]!]))
    replacements.set(node, nodes)
  }
  graph.node = graph.node.flatMap((node) => replacements.get(node) ?? [node])
  graph.initializer.push(...weights.values(), ...makeConstants(), ...widthsOf(products, quantized))
  sortNodes(graph)
  removeDeadNodes(graph)
  return { ...decoder, model }
}

function rotatedName(input: string): string {
  return `${input}${STEP}rotated`
}

/** Rotates a tensor [..., width], block by block. */
function rotateBlocks(input: string, block: number): NodeProto[] {
  const name = (part: string) => `${input}${STEP}${part}`
  return [
    makeNode('Reshape', [input, widthName(block)], [name('blocks')]),
    makeNode('MatMul', [name('blocks'), blockRotation(block)], [name('rotated_blocks')]),
    makeNode('Shape', [input], [name('shape_of_blocks')]),
    makeNode('Reshape', [name('rotated_blocks'), name('shape_of_blocks')], [rotatedName(input)]),
  ]
}

/** A tensor [..., width] in twice 8 bits: values, and what they leave over in steps of a 254th. */
interface RoundedTensor {
  values: string
  rests: string
  /** Of each row, [..., 1]. */
  scales: string
  nodes: NodeProto[]
  /**
   * Dimensions that ONNX Runtime does not infer, of a tensor [batch, tokens, width]: without them it reuses no buffer
   * after this, and takes seconds to look for one.
   */
  valueInfos: ValueInfoProto[]
}

/** @param isOfAllTokens whether the tensor is known to be [batch, tokens, width]; else it may have no row */
function roundRows(input: string, width: number, isOfAllTokens: boolean): RoundedTensor {
  const nodes: NodeProto[] = []
  const name = (part: string) => `${input}${STEP}${part}`
  const add = (opType: string, inputs: string[], part: string, attributes: Record<string, number> = {}) => {
    nodes.push(makeNode(opType, inputs, [name(part)], attributes))
    return name(part)
  }
  const highest = add('ReduceMax', [input, LAST_AXIS], 'highest', { keepdims: 1 })
  const lowest = add('Neg', [add('ReduceMin', [input, LAST_AXIS], 'lowest', { keepdims: 1 })], 'depth')
  const exact = add('Div', [add('Max', [highest, lowest], 'peak'), LARGEST], 'exact_scale')
  const safe = add('Max', [exact, SMALLEST_SCALE], 'safe_scale')
  // a peak does not show NaN unless it comes first, and rounding makes a number of it
  const sum = add('ReduceSum', [input, LAST_AXIS], 'sum', { keepdims: 1 })
  const scale = add('Add', [safe, add('Mul', [sum, ZERO], 'nan')], 'scale')
  // without a row ONNX Runtime keeps the axis that it reduces as wide as it was
  const scales = isOfAllTokens ? scale : add('Slice', [scale, FIRST, SECOND, LAST_AXIS], 'only_scale')
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
  return { values: shaped[0], rests: shaped[1], scales, nodes, valueInfos: isOfAllTokens ? valueInfos : [] }
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

function widthsOf(products: WeightProduct[], quantized: Map<string, QuantizedMatrix>): TensorProto[] {
  const blocks = [...quantized.values()].flatMap(({ block }) => block ?? [])
  const widths = new Set([...products.map(({ matrix }) => matrix.inputs), ...blocks])
  return [...widths].map((width) => makeInt64Tensor(widthName(width), [2], [-1, width]))
}

function makeConstants(): GraphProto['initializer'] {
  return [
    create(TensorProtoSchema, { name: ZERO_POINT, dataType: DataType.UINT8, rawData: Uint8Array.of(128) }),
    makeFloatTensor(ZERO, [], [0]),
    makeFloatTensor(ONE, [], [1]),
    makeFloatTensor(REST_SCALE, [], [1 / 254]),
    makeFloatTensor(LARGEST, [], [127]),
    makeFloatTensor(SMALLEST_SCALE, [], [1e-30]),
    makeInt64Tensor(LAST_AXIS, [1], [-1]),
    makeInt64Tensor(FIRST, [1], [0]),
    makeInt64Tensor(SECOND, [1], [1]),
    makeInt64Tensor(EVERY_ROW, [1], [-1]),
  ]
}

/** An initializer whose bytes lie in a file. */
export function makeExternalTensor(
  name: string,
  dataType: DataType,
  dims: number[],
  place: ExternalData,
): TensorProto {
  const tensor = create(TensorProtoSchema, { name, dataType, dims: dims.map(BigInt) })
  setExternalData(tensor, place)
  return tensor
}

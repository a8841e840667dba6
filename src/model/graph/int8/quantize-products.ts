import { create } from '@bufbuild/protobuf'
import { TensorProtoSchema } from 'onnx-buf'
import type { DecoderGraph } from '../decoder-graph.js'
import { type ExternalData, setExternalData } from '../onnx/external-data.js'
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
} from '../onnx/onnx.js'
import { indexGraph, nodesDownstream, removeDeadNodes, sortNodes, type Topology } from '../onnx/topology.js'
import { renameReads } from '../redirect-state.js'
import { ScaledRopes } from './scaled-ropes.js'
import { findGatedMlps, findWeightProducts, type WeightMatrix, type WeightProduct } from './weight-products.js'

/** An int8 weight matrix, and how tokens are multiplied by it. */
export interface QuantizedMatrix {
  /** int8 [inputs, outputs] */
  values: ExternalData
  /** Quantization residuals of the weights in 254ths of a step, in the same shape; null if not kept. */
  residuals: ExternalData | null
  /** float32 [outputs]: the weight that an int8 value of 1 represents. */
  scales: ExternalData
  /** Whether the residuals of tokens are multiplied too. */
  keepsTokenResiduals: boolean
  /** Tokens are rotated in blocks of this size before they are rounded. */
  block: number
  /** Whether the matrix that made the tokens has rotated them already. */
  comesRotated: boolean
}

const PREFIX = 'layerprune.int8'
const ZERO_POINT = `${PREFIX}.zero_point`
const ZERO = `${PREFIX}.zero`
const ONE = `${PREFIX}.one`
const RESIDUAL_SCALE = `${PREFIX}.residual_scale`
const LARGEST = `${PREFIX}.largest`
const LAST_AXIS = `${PREFIX}.last_axis`
const FIRST = `${PREFIX}.first`
const SECOND = `${PREFIX}.second`
const EVERY_ROW = `${PREFIX}.every_row`
/** Name of a dimension: batch times tokens. */
const ROWS = `${PREFIX}.rows`
/** Part of the names of all tensors computed between an input and its product with a matrix. */
const STEP = '/int8.'

/** Initializer that callers must add to a graph with rotated blocks: the rotation of rows, float32 [block, block]. */
export function blockRotation(block: number): string {
  return `${PREFIX}.rotation_of_${block}`
}

/** Whether a node is a step of an int8 product, which treats each token separately, whatever the tensor's shape. */
export function isInt8Step({ output }: NodeProto): boolean {
  return output[0]!.includes(STEP)
}

/**
 * Multiplies by int8 weights: each token is rounded to 8 bits with its own scale, shared by all its products, and
 * products are summed exactly in 32 bits. Residuals of weights or of tokens cost one more product each; the product of
 * both residuals is omitted.
 *
 * The token scales of a gated MLP's `up` are folded into the scales with which `down` rounds its tokens. Those of queries
 * and keys are folded into the cosines and sines that rotate them.
 * @param quantized by name of the matrix, in files named relative to the decoder's `weightsFolder`
 * @returns a new graph; the given one is not changed
 */
export function quantizeProducts(decoder: DecoderGraph, quantized: Map<string, QuantizedMatrix>): DecoderGraph {
  const model = cloneModel(decoder.model)
  const { graph } = model
  const topology = indexGraph(graph)
  const products = findWeightProducts(decoder, topology)
  const rewriter = new ProductRewriter(graph, topology, products)
  const replacements = new Map(
    products.map((product) => [product.node, rewriter.rewrite(product, quantized.get(product.matrix.name)!)]),
  )
  graph.node = graph.node.flatMap((node) => replacements.get(node) ?? [node])
  rewriter.finish()
  graph.initializer.push(...makeConstants(), ...widthsOf(products, quantized))
  sortNodes(graph)
  removeDeadNodes(graph)
  return { ...decoder, model }
}

/** Writes the steps of int8 products, which share the tokens that they round. */
class ProductRewriter {
  readonly #graph: GraphProto
  readonly #topology: Topology
  readonly #isOfAllTokens: (name: string) => boolean
  /** By name of an `up` matrix: its `down`. */
  readonly #downOf: Map<string, string>
  readonly #ropes: ScaledRopes
  readonly #rounded = new Map<string, RoundedTensor>()
  readonly #weights = new Map<string, TensorProto>()
  /** By name of a `down` matrix: scales not yet multiplied into its tokens. */
  readonly #lackingScales = new Map<string, string>()
  /** By name of an output without its scales: the tensor to read instead. */
  readonly #unscaled = new Map<string, string>()

  constructor(graph: GraphProto, topology: Topology, products: WeightProduct[]) {
    this.#graph = graph
    this.#topology = topology
    this.#isOfAllTokens = findTensorsOfAllTokens(topology)
    this.#downOf = new Map(findGatedMlps(products, topology).map(({ up, down }) => [up.name, down.name]))
    this.#ropes = new ScaledRopes(graph, STEP)
  }

  /** @returns the nodes that compute the product, in the order of their reads */
  rewrite({ node, matrix }: WeightProduct, form: QuantizedMatrix): NodeProto[] {
    const output = node.output[0]!
    const { tokens, nodes: rounding } = this.#round(node.input[0]!, matrix, form)
    const parts = makeWeights(matrix, form)
    for (const tensor of Object.values(parts)) this.#weights.set(tensor.name, tensor)
    const { sum, nodes } = multiplyRounded(output, tokens, parts, form)
    return [...rounding, ...nodes, ...this.#scale(sum, tokens.scales, matrix, output)]
  }

  /** Makes the other nodes read the rewritten outputs. */
  finish(): void {
    renameReads(this.#graph, this.#unscaled)
    this.#ropes.addTo(this.#graph)
    this.#graph.initializer.push(...this.#weights.values())
  }

  /** Rounds the tokens of an input, unless another product has. */
  #round(
    input: string,
    { name, inputs }: WeightMatrix,
    form: QuantizedMatrix,
  ): { tokens: RoundedTensor; nodes: NodeProto[] } {
    const rotated = form.comesRotated ? input : rotatedName(input, form.block)
    const known = this.#rounded.get(rotated)
    if (known !== undefined) return { tokens: known, nodes: [] }
    const shape = `${rotated}${STEP}shape`
    const rows = roundRows(rotated, {
      width: inputs,
      shape,
      isOfAllTokens: this.#isOfAllTokens(input),
      lackingScales: this.#lackingScales.get(name),
    })
    this.#graph.valueInfo.push(...rows.valueInfos)
    this.#rounded.set(rotated, rows)
    const rotation = form.comesRotated ? [] : rotateBlocks(input, form.block, shape)
    return { tokens: rows, nodes: [makeNode('Shape', [input], [shape]), ...rotation, ...rows.nodes] }
  }

  /** Multiplies sums by their tokens' scales, or leaves that to the products or ropes that read them. */
  #scale(sum: string, scales: string, { name, outputs }: WeightMatrix, output: string): NodeProto[] {
    const down = this.#downOf.get(name)
    const rope = this.#ropes.find(output, this.#topology)
    if (down === undefined && rope === undefined) return [makeNode('Mul', [sum, scales], [output])]
    if (down !== undefined) this.#lackingScales.set(down, scales)
    else this.#ropes.scale(rope!, outputs, scales)
    this.#unscaled.set(output, sum)
    return []
  }
}

/** The initializers of an int8 matrix. */
interface Int8Weights {
  scales: TensorProto
  values: TensorProto
  residuals?: TensorProto
}

function makeWeights({ name, inputs, outputs }: WeightMatrix, form: QuantizedMatrix): Int8Weights {
  const { values, residuals, scales } = form
  const make = (part: string, dataType: DataType, dims: number[], place: ExternalData) =>
    makeExternalTensor(`${name}.int8${part}`, dataType, dims, place)
  return {
    scales: make('.scales', DataType.FLOAT, [outputs], scales),
    values: make('', DataType.INT8, [inputs, outputs], values),
    ...(residuals && { residuals: make('.residuals', DataType.INT8, [inputs, outputs], residuals) }),
  }
}

/**
 * Multiplies rounded tokens by an int8 matrix, and sums the products of values and residuals.
 * @param output name of the sum times the tokens' scales
 */
function multiplyRounded(
  output: string,
  tokens: RoundedTensor,
  { values, residuals, scales }: Int8Weights,
  { keepsTokenResiduals }: QuantizedMatrix,
): { sum: string; nodes: NodeProto[] } {
  const nodes: NodeProto[] = []
  const multiply = (part: string, rows: string, weight: TensorProto, scale: string) => {
    // the output can be the input of another product, whose steps are named after it too
    const product = `${output}${STEP}product_of_${part}`
    const inputs = [rows, weight.name, scale, scales.name, ZERO_POINT]
    nodes.push(makeNode('MatMulIntegerToFloat', inputs, [product], {}, MICROSOFT_DOMAIN))
    return product
  }
  const products = [multiply('values', tokens.values, values, ONE)]
  if (keepsTokenResiduals) {
    products.push(multiply('token_residuals', tokens.residuals, values, RESIDUAL_SCALE))
  }
  if (residuals !== undefined) {
    products.push(multiply('weight_residuals', tokens.values, residuals, RESIDUAL_SCALE))
  }
  const sum = products.reduce((sum, product) => {
    nodes.push(makeNode('Add', [sum, product], [`${product}.sum`]))
    return `${product}.sum`
  })
  return { sum, nodes }
}

function rotatedName(input: string, block: number): string {
  return `${input}${STEP}rotated_by_${block}`
}

/** Rotates a tensor [..., width] of a shape, block by block. */
function rotateBlocks(input: string, block: number, shape: string): NodeProto[] {
  const rotated = rotatedName(input, block)
  const name = (part: string) => `${rotated}/${part}`
  return [
    makeNode('Reshape', [input, widthName(block)], [name('blocks')]),
    makeNode('MatMul', [name('blocks'), blockRotation(block)], [name('rotated_blocks')]),
    makeNode('Reshape', [name('rotated_blocks'), shape], [rotated]),
  ]
}

/** A tensor [..., width] as 8-bit values and 8-bit residuals in 254ths of a step. */
interface RoundedTensor {
  values: string
  residuals: string
  /** One per row, [..., 1]. */
  scales: string
  nodes: NodeProto[]
  /**
   * Dimensions of a tensor [batch, tokens, width] that ONNX Runtime does not infer. Without them it reuses no buffer
   * from here on, and spends seconds looking for one.
   */
  valueInfos: ValueInfoProto[]
}

interface Rows {
  width: number
  /** Name of the tensor's shape. */
  shape: string
  /** Whether the tensor is known to be [batch, tokens, width]; if not, it may have no row. */
  isOfAllTokens: boolean
  /** Pending scales per row, [..., 1]; undefined if they are already multiplied in. */
  lackingScales: string | undefined
}

function roundRows(input: string, { width, shape, isOfAllTokens, lackingScales }: Rows): RoundedTensor {
  const nodes: NodeProto[] = []
  const name = (part: string) => `${input}${STEP}${part}`
  const add = (opType: string, inputs: string[], part: string, attributes: Record<string, number> = {}) => {
    nodes.push(makeNode(opType, inputs, [name(part)], attributes))
    return name(part)
  }
  const highest = add('ReduceMax', [input, LAST_AXIS], 'highest', { keepdims: 1 })
  const lowest = add('Neg', [add('ReduceMin', [input, LAST_AXIS], 'lowest', { keepdims: 1 })], 'depth')
  // zero for a row of zeros: its products are then zero, whatever the row is rounded to
  const exact = add('Div', [add('Max', [highest, lowest], 'peak'), LARGEST], 'exact_scale')
  // Max keeps NaN only if it comes first, and rounding would turn NaN into a number
  const sum = add('ReduceSum', [input, LAST_AXIS], 'sum', { keepdims: 1 })
  const scale = add('Add', [exact, add('Mul', [sum, ZERO], 'nan')], 'scale')
  // if there is no row, ONNX Runtime keeps the width of the reduced axis
  const scales = isOfAllTokens ? scale : add('Slice', [scale, FIRST, SECOND, LAST_AXIS], 'only_scale')
  const perRow = add('Reshape', [scales, EVERY_ROW], 'scale_of_row')
  const zeroPoints = add('Expand', [ZERO_POINT, add('Shape', [perRow], 'row_count')], 'zero_point_of_row')
  const rows = add('Reshape', [input, widthName(width)], 'rows')
  const rounded = add('QuantizeLinear', [rows, perRow, zeroPoints], 'rounded_rows', { axis: 0 })
  const known = add('DequantizeLinear', [rounded, perRow, zeroPoints], 'known_rows', { axis: 0 })
  const remaining = add('Sub', [rows, known], 'remaining_rows')
  const residualScale = add('Mul', [perRow, RESIDUAL_SCALE], 'residual_scale_of_row')
  const residuals = add('QuantizeLinear', [remaining, residualScale, zeroPoints], 'residual_rows', {
    axis: 0,
  })
  const shaped = [add('Reshape', [rounded, shape], 'values'), add('Reshape', [residuals, shape], 'residuals')] as const
  const describe = (names: readonly string[], type: DataType, dimensions: (string | number)[]) =>
    names.map((name) => makeValueInfo(name, type, dimensions))
  const valueInfos = [
    ...describe([perRow, residualScale], DataType.FLOAT, [ROWS]),
    ...describe([zeroPoints], DataType.UINT8, [ROWS]),
    ...describe([rows, known, remaining], DataType.FLOAT, [ROWS, width]),
    ...describe([rounded, residuals], DataType.UINT8, [ROWS, width]),
    ...describe(shaped, DataType.UINT8, [BATCH, TOKENS, width]),
  ]
  return {
    values: shaped[0],
    residuals: shaped[1],
    scales: lackingScales === undefined ? scales : add('Mul', [scales, lackingScales], 'full_scale'),
    nodes,
    valueInfos: isOfAllTokens ? valueInfos : [],
  }
}

/** Whether a tensor is known to hold all tokens, unlike the inputs of an expert and everything after them. */
function findTensorsOfAllTokens(topology: Topology): (name: string) => boolean {
  const choices = topology.nodes.filter(({ opType }) => opType === 'TopK').flatMap(({ output }) => output)
  const chosen = nodesDownstream(topology, choices)
  return (name) => !chosen.has(topology.producer.get(name)!)
}

function widthName(width: number): string {
  return `${PREFIX}.rows_of_${width}`
}

function widthsOf(products: WeightProduct[], quantized: Map<string, QuantizedMatrix>): TensorProto[] {
  const blocks = [...quantized.values()].map(({ block }) => block)
  const widths = new Set([...products.map(({ matrix }) => matrix.inputs), ...blocks])
  return [...widths].map((width) => makeInt64Tensor(widthName(width), [2], [-1, width]))
}

function makeConstants(): GraphProto['initializer'] {
  return [
    create(TensorProtoSchema, { name: ZERO_POINT, dataType: DataType.UINT8, rawData: Uint8Array.of(128) }),
    makeFloatTensor(ZERO, [], [0]),
    makeFloatTensor(ONE, [], [1]),
    makeFloatTensor(RESIDUAL_SCALE, [], [1 / 254]),
    makeFloatTensor(LARGEST, [], [127]),
    makeInt64Tensor(LAST_AXIS, [1], [-1]),
    makeInt64Tensor(FIRST, [1], [0]),
    makeInt64Tensor(SECOND, [1], [1]),
    makeInt64Tensor(EVERY_ROW, [1], [-1]),
  ]
}

/** An initializer whose bytes are in a file. */
function makeExternalTensor(name: string, dataType: DataType, dims: number[], place: ExternalData): TensorProto {
  const tensor = create(TensorProtoSchema, { name, dataType, dims: dims.map(BigInt) })
  setExternalData(tensor, place)
  return tensor
}

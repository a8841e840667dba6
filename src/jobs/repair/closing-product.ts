import { LayerpruneError } from '../../base/errors.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { fusedAddends, isFusedNorm, SUM_OUTPUT } from '../../model/graph/fused-norms.js'
import { FLOAT_DTYPES } from '../../model/graph/onnx/element-types.js'
import { DataType, type GraphProto, type NodeProto, type TensorProto } from '../../model/graph/onnx/onnx.js'
import { indexGraph, nodesUpstream, type Topology } from '../../model/graph/onnx/topology.js'

/** A matrix product by which a layer adds to the residual stream: state after = ... + factor * (h W + b). */
export interface ClosingProduct {
  layer: number
  /** The initializer that holds W. */
  weight: TensorProto
  /** Whether W is stored as [outputs, inputs], as PyTorch's Linear stores it. */
  outputsFirst: boolean
  /** The initializer that holds b; null if there is none, or other layers read it too. */
  bias: TensorProto | null
  /** Tensor h, [batch, tokens, inputs]. */
  input: string
  inputs: number
  outputs: number
  /** Scales the product's output before it is added to the stream. */
  factor: number
}

const PRODUCTS = new Set(['MatMul', 'FusedMatMul', 'Gemm'])
const PASS_THROUGH = new Set(['Identity', 'Cast', 'Dropout', 'Reshape'])

/**
 * Finds the product that closes a layer by structure: the last thing that the layer adds to the residual stream,
 * seen through biases, constant factors and casts. If attention and MLP are added side by side, it is whichever of
 * the two products has more inputs: the MLP's.
 * @throws LayerpruneError if a change of the stream cannot be folded into one of the layer's weights; it names what
 *   stands between them and the stream
 */
export function findClosingProduct(decoder: DecoderGraph, layer: number): ClosingProduct {
  return findProducts(decoder, layer).at(-1)!
}

/**
 * Finds all products by which a layer adds to the residual stream, in the order in which they can be fitted: the
 * closing one is the last, and may depend on those before it, as an MLP does on attention. Only the closing one names
 * its bias: one is enough to add a constant.
 * @throws as `findClosingProduct`
 */
export function findProducts(decoder: DecoderGraph, layer: number): ClosingProduct[] {
  const graph = decoder.model.graph
  const search = new ProductSearch(graph, indexGraph(graph), decoder.states[layer]!, layer)
  const { inner, closing, obstacle } = search.run(decoder.states[layer + 1]!)
  const [widest, ...narrower] = closing.sort((a, b) => b.inputs - a.inputs)
  if (widest !== undefined) {
    return [...[...inner, ...narrower].map((product) => ({ ...product, bias: null })), widest]
  }
  throw new LayerpruneError(`the cut after layer ${layer} cannot be repaired: ${obstacle}`, {
    hint: 'a repair changes the weight by which that layer adds to the residual stream: prune without `repair`',
  })
}

/** A value that the layer adds to the stream. */
interface Addend {
  name: string
  product: ClosingProduct | null
}

/** Follows a layer's end back to its start. */
class ProductSearch {
  readonly #topology: Topology
  readonly #initializers: Map<string, TensorProto>
  readonly #start: string
  readonly #layer: number
  /** The first obstacle found. */
  #obstacle: string | undefined

  constructor(graph: GraphProto, topology: Topology, start: string, layer: number) {
    this.#topology = topology
    this.#initializers = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]))
    this.#start = start
    this.#layer = layer
  }

  /** `closing`: products that nothing else in the layer depends on, so that changing one changes only the stream. */
  run(state: string): { inner: ClosingProduct[]; closing: ClosingProduct[]; obstacle: string } {
    const addends = this.#follow(state, 1, null)
    const inner: ClosingProduct[] = []
    const closing: ClosingProduct[] = []
    for (const { name, product } of addends) {
      if (product === null) continue
      const others = addends.filter((other) => other.name !== name).map((other) => other.name)
      const isInner = nodesUpstream(this.#topology, others).has(this.#topology.producer.get(name)!)
      ;(isInner ? inner : closing).push(product)
    }
    return { inner, closing, obstacle: this.#obstacle ?? 'no product of a weight was found at its end' }
  }

  /** The addends of a sum, down to the state that enters the layer. */
  #follow(name: string, factor: number, bias: TensorProto | null): Addend[] {
    const node = this.#producer(name)
    if (name === this.#start || node === undefined) return []
    if (PASS_THROUGH.has(node.opType)) return this.#follow(node.input[0]!, factor, bias)
    if (isFusedNorm(node) && node.output.indexOf(name) === SUM_OUTPUT) {
      return fusedAddends(node).flatMap((input) => this.#follow(input, factor, bias))
    }
    if (node.opType === 'Add') {
      const constants = node.input.map((input) => this.#vector(input))
      const index = constants.findIndex((constant) => constant !== undefined)
      if (index >= 0) return this.#follow(node.input[1 - index]!, factor, constants[index]!)
      return node.input.flatMap((input) => this.#follow(input, factor, bias))
    }
    if (node.opType === 'Mul' && bias === null) {
      const scalars = node.input.map((input) => this.#scalar(input))
      const index = scalars.findIndex((scalar) => scalar !== undefined)
      if (index >= 0) return this.#follow(node.input[1 - index]!, factor * scalars[index]!, bias)
    }
    if (PRODUCTS.has(node.opType)) return [{ name, product: this.#readProduct(node, factor, bias) }]
    this.#obstacle ??= describeObstacle(this.#quantisedProduct(node) ?? node)
    return [{ name, product: null }]
  }

  #readProduct(node: NodeProto, factor: number, bias: TensorProto | null): ClosingProduct | null {
    const attribute = (name: string) => node.attribute.find((candidate) => candidate.name === name)
    const flag = (name: string) => Number(attribute(name)?.i ?? 0) !== 0
    const { tensor, transposed } = this.#weight(node.input[1]!)
    const isPlain =
      ['alpha', 'beta'].every((name) => (attribute(name)?.f ?? 1) === 1) &&
      !['transA', 'transBatchA', 'transBatchB'].some(flag)
    if (tensor === undefined || !isPlain || tensor.dims.length !== 2) {
      this.#obstacle ??= `${node.name || node.opType} at its end has no plain floating-point matrix`
      return null
    }
    if (this.#topology.consumers.get(tensor.name)!.length > 1) {
      this.#obstacle ??= `weight ${tensor.name} at its end is read in more than one place`
      return null
    }
    const outputsFirst = flag('transB') !== transposed
    const [rows, columns] = tensor.dims.map(Number) as [number, number]
    const added = (node.opType === 'Gemm' && node.input[2] ? this.#vector(node.input[2]) : undefined) ?? bias
    const isOwn = added !== null && this.#topology.consumers.get(added.name)!.length === 1
    return {
      layer: this.#layer,
      weight: tensor,
      outputsFirst,
      bias: isOwn ? added : null,
      input: node.input[0]!,
      inputs: outputsFirst ? columns : rows,
      outputs: outputsFirst ? rows : columns,
      factor,
    }
  }

  /** The weight before casts and transpositions. */
  #weight(name: string): { tensor: TensorProto | undefined; transposed: boolean } {
    const tensor = this.#initializers.get(name)
    if (tensor !== undefined)
      return { tensor: FLOAT_DTYPES.has(tensor.dataType) ? tensor : undefined, transposed: false }
    const node = this.#producer(name)
    if (node === undefined) return { tensor: undefined, transposed: false }
    if (PASS_THROUGH.has(node.opType)) return this.#weight(node.input[0]!)
    if (node.opType !== 'Transpose') return { tensor: undefined, transposed: false }
    const { tensor: inner, transposed } = this.#weight(node.input[0]!)
    return { tensor: inner, transposed: !transposed }
  }

  #vector(name: string): TensorProto | undefined {
    const { tensor, transposed } = this.#weight(name)
    return transposed || tensor?.dims.length !== 1 ? undefined : tensor
  }

  #scalar(name: string): number | undefined {
    const tensor = this.#initializers.get(name)
    if (tensor?.dataType !== DataType.FLOAT || tensor.dims.some((dim) => dim !== 1n)) return undefined
    const { rawData, floatData } = tensor
    if (floatData.length === 1) return floatData[0]
    return rawData.byteLength === 4
      ? new DataView(rawData.buffer, rawData.byteOffset, 4).getFloat32(0, true)
      : undefined
  }

  /** The integer product that a node scales back, as in `MatMulInteger`, `Cast`, `Mul`. */
  #quantisedProduct(node: NodeProto): NodeProto | undefined {
    if (/Integer|QLinear/.test(node.opType)) return node
    if (node.opType !== 'Mul' && node.opType !== 'Cast') return undefined
    return node.input
      .flatMap((name) => this.#producer(name) ?? [])
      .map((producer) => this.#quantisedProduct(producer))
      .find((product) => product !== undefined)
  }

  #producer(name: string): NodeProto | undefined {
    const position = this.#topology.producer.get(name)
    return position === undefined ? undefined : this.#topology.nodes[position]
  }
}

function describeObstacle(node: NodeProto): string {
  if (/Norm/.test(node.opType)) return 'a norm stands between the stream and what its MLP adds'
  if (/NBits|Integer|QLinear|Dequantize|Bnb4/.test(node.opType)) return `its weights are quantised (${node.opType})`
  if (/^(ReduceSum|Scatter|TopK|MoE|QMoE)/.test(node.opType)) {
    return 'it ends in a mixture of experts, and each token passes only some of them'
  }
  return `its MLP output passes ${node.opType} before it is added to the stream`
}

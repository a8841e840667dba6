import type { DecoderGraph } from './decoder-graph.js'
import { FLOAT_DTYPES } from './element-types.js'
import { findFusedNorm, fusedAddends, SUM_OUTPUT } from './fused-norms.js'
import {
  cloneModel,
  DataLocation,
  DataType,
  type GraphProto,
  MICROSOFT_DOMAIN,
  makeFloatTensor,
  makeNode,
  type NodeProto,
  type TensorProto,
} from './onnx.js'
import { redirectState, renameReads } from './redirect-state.js'
import { indexGraph, sortNodes, type Topology } from './topology.js'
import { findWeightProducts, locateNumbers, type StoredNumbers } from './weight-products.js'

/** The initializer that a rotated graph lacks: the rotation of rows, float32 [hidden, hidden]. */
export const ROTATION = 'layerprune.rotation'

const ONES = 'layerprune.ones'

/** The weights of a norm: the stored numbers, or 0 if there are none, plus a constant. */
export interface NormWeights {
  stored: StoredNumbers | null
  added: number
}

/** How a matrix changes if the stream is rotated: its inputs are scaled by a norm's weights and rotated, or its outputs are rotated. */
export type StreamRotation = { side: 'inputs'; norm: NormWeights } | { side: 'outputs' }

export interface RotatedDecoder {
  /** Its graph lacks the initializer `ROTATION`. */
  decoder: DecoderGraph
  hiddenSize: number
  /** By name of the matrix: how it must change for the graph to compute the same as before. */
  rotations: Map<string, StreamRotation>
}

/**
 * Rotates the residual stream of a decoder by an orthogonal matrix (Ashkboos et al. 2024, arXiv 2404.00456): the
 * embedding's output is multiplied by it, each matrix that reads the stream or writes to it absorbs it, and the last
 * state is rotated back for the head. An RMS norm is not affected by the rotation once its weights are in the matrices
 * after it. Inner products of states stay the same, and no channel is far larger than the others.
 * @returns null if a reader of the stream does not allow it, such as a norm that centres
 */
export function rotateStream(decoder: DecoderGraph): RotatedDecoder | null {
  const topology = indexGraph(decoder.model.graph)
  const found = new StreamSearch(decoder, topology).run()
  if (found === null) return null
  const { norms, rotations, biases, hiddenSize } = found
  const model = cloneModel(decoder.model)
  const graph = model.graph
  for (const position of norms) {
    const { input } = graph.node[position]!
    input[input.length - 1] = ONES
  }
  for (const { node: position, bias } of biases) {
    const node = graph.node[position]!
    const rotated = `${node.output[0]}/rotated_bias`
    node.input = node.input.map((name) => (name === bias ? rotated : name))
    graph.node.push(makeNode('MatMul', [bias, ROTATION], [rotated]))
  }
  graph.initializer.push(makeFloatTensor(ONES, [hiddenSize], new Float32Array(hiddenSize).fill(1)))
  rotateBackAfter(graph, decoder.states.at(-1)!)
  const states = decoder.states.with(0, `${decoder.states[0]!}/rotated`)
  renameReads(graph, new Map([[decoder.states[0]!, states[0]!]]))
  graph.node.push(makeNode('MatMul', [decoder.states[0]!, ROTATION], [states[0]!]))
  sortNodes(graph)
  return { decoder: { ...decoder, model, states }, rotations, hiddenSize }
}

/** Makes readers of the last state read it as it was before the rotation. */
function rotateBackAfter(graph: GraphProto, state: string): void {
  const fused = findFusedNorm(graph, state)
  const addends = fused === undefined ? null : fusedAddends(graph.node[fused]!)
  const rotatedBack = `${state}/rotated_back`
  redirectState(graph, state, rotatedBack)
  if (addends !== null) graph.node.push(makeNode('Add', addends, [state]))
  graph.node.push(makeNode('FusedMatMul', [state, ROTATION], [rotatedBack], { transB: 1 }, MICROSOFT_DOMAIN))
}

interface FoundStream {
  /** Positions of the norms within the layers. */
  norms: Set<number>
  rotations: Map<string, StreamRotation>
  /** Positions of the nodes that add a bias before a branch is added to the stream. */
  biases: { node: number; bias: string }[]
  hiddenSize: number
}

/** Follows the residual stream from state 0 to the last and checks everything that reads it or is added to it. */
class StreamSearch {
  readonly #decoder: DecoderGraph
  readonly #topology: Topology
  readonly #initializers: Map<string, TensorProto>
  /** By the output of the product. */
  readonly #products: Map<string, { matrix: string; input: string; outputs: number }>
  readonly #norms = new Set<number>()
  readonly #rotations = new Map<string, StreamRotation>()
  readonly #biases: FoundStream['biases'] = []

  constructor(decoder: DecoderGraph, topology: Topology) {
    this.#decoder = decoder
    this.#topology = topology
    this.#initializers = new Map(decoder.model.graph.initializer.map((tensor) => [tensor.name, tensor]))
    this.#products = new Map(
      findWeightProducts(decoder, topology).map(({ node, matrix }) => [
        node.output[0]!,
        { matrix: matrix.name, input: node.input[0]!, outputs: matrix.outputs },
      ]),
    )
  }

  run(): FoundStream | null {
    const { states } = this.#decoder
    const last = states.at(-1)!
    const stream = new Set([states[0]!])
    for (const tensor of stream) {
      if (tensor === last) continue
      for (const position of this.#topology.consumers.get(tensor) ?? []) {
        const sum = this.#read(position, tensor, last)
        if (sum === null) return null
        if (sum !== undefined) stream.add(sum)
      }
    }
    if (!states.every((state) => stream.has(state))) return null
    const sizes = new Set(
      [...this.#products.values()]
        .filter(({ matrix }) => this.#rotations.get(matrix)?.side === 'outputs')
        .map(({ outputs }) => outputs),
    )
    if (sizes.size !== 1) return null
    return {
      norms: this.#norms,
      rotations: this.#rotations,
      biases: this.#biases,
      hiddenSize: [...sizes][0]!,
    }
  }

  /** Checks a node that reads the stream: returns the sum that it makes, undefined if none, null if it is not allowed. */
  #read(position: number, tensor: string, last: string): string | undefined | null {
    const { opType, input, output } = this.#topology.nodes[position]!
    switch (opType) {
      case 'Shape':
        return undefined
      case 'Add': {
        const branch = input.find((name) => name !== tensor)
        return branch !== undefined && this.#write(branch) ? output[0]! : null
      }
      case 'SimplifiedLayerNormalization':
        return this.#norm(position, input[1]!) ? undefined : null
      case 'SkipSimplifiedLayerNormalization': {
        const sum = output[SUM_OUTPUT]!
        if (input.length !== 3 || !this.#write(input[input[0] === tensor ? 1 : 0]!)) return null
        return sum === last || this.#norm(position, input[2]!) ? sum : null
      }
      default:
        return null
    }
  }

  /** Records a norm within the layers; only products with weights may read its output. */
  #norm(position: number, scale: string): boolean {
    const norm = this.#normWeights(scale)
    const normed = this.#topology.nodes[position]!.output[0]!
    this.#norms.add(position)
    if (norm === null) return false
    return (this.#topology.consumers.get(normed) ?? []).every((reader) => {
      const { opType, output } = this.#topology.nodes[reader]!
      if (opType === 'Shape') return true
      const product = this.#products.get(output[0]!)
      return product !== undefined && this.#rotate(product.matrix, { side: 'inputs', norm })
    })
  }

  /** Checks a branch that is added to the stream: it must come from products with weights, times constant factors. */
  #write(branch: string): boolean {
    const isReadOnce = this.#topology.consumers.get(branch)!.length === 1
    const product = this.#products.get(branch)
    if (!isReadOnce) return false
    if (product !== undefined) return this.#rotate(product.matrix, { side: 'outputs' })
    const node = this.#producer(branch)
    if (node?.opType === 'Add') {
      const [bias, ...biases] = node.input.filter((input) => this.#isVector(input))
      if (bias === undefined) return node.input.every((input) => this.#write(input))
      this.#biases.push({ node: this.#topology.producer.get(branch)!, bias })
      return biases.length === 0 && this.#write(node.input.find((input) => input !== bias)!)
    }
    if (node?.opType !== 'Mul') return false
    const others = node.input.filter((input) => this.#constant(input) === undefined)
    return others.length === 1 && this.#write(others[0]!)
  }

  /** Whether a tensor is a learnt bias. */
  #isVector(name: string): boolean {
    const node = this.#producer(name)
    if (node?.opType === 'Cast') return this.#isVector(node.input[0]!)
    return this.#initializers.get(name)?.dims.length === 1
  }

  #rotate(matrix: string, streamRotation: StreamRotation): boolean {
    if (this.#rotations.has(matrix)) return false
    this.#rotations.set(matrix, streamRotation)
    return true
  }

  #normWeights(name: string): NormWeights | null {
    const tensor = this.#initializers.get(name)
    if (tensor?.dataLocation === DataLocation.EXTERNAL) {
      if (!FLOAT_DTYPES.has(tensor.dataType)) return null
      return { stored: locateNumbers(this.#decoder, tensor), added: 0 }
    }
    if (tensor !== undefined) {
      const constant = this.#constant(name)
      return constant === undefined ? null : { stored: null, added: constant }
    }
    const node = this.#producer(name)
    if (node?.opType === 'Cast') return this.#normWeights(node.input[0]!)
    if (node?.opType !== 'Add') return null
    const added = this.#constant(node.input[1]!)
    const weights = this.#normWeights(node.input[0]!)
    return added === undefined || weights === null ? null : { ...weights, added: weights.added + added }
  }

  /** The value that all elements of a tensor inside the graph have in common. */
  #constant(name: string): number | undefined {
    const tensor = this.#initializers.get(name)
    if (tensor?.dataType !== DataType.FLOAT || tensor.dataLocation === DataLocation.EXTERNAL) return undefined
    const { buffer, byteOffset, byteLength } = tensor.rawData
    const view = new DataView(buffer, byteOffset, byteLength)
    const values = Array.from({ length: byteLength / 4 }, (_, index) => view.getFloat32(4 * index, true))
    return values.every((value) => value === values[0]) ? values[0] : undefined
  }

  #producer(name: string): NodeProto | undefined {
    return this.#topology.nodes[this.#topology.producer.get(name) ?? -1]
  }
}

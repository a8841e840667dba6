import type { DecoderGraph } from '../graph/decoder-graph.js'
import { findElementType } from '../graph/element-types.js'
import {
  DataType,
  type GraphProto,
  makeFloatTensor,
  makeInt64Tensor,
  makeNode,
  makeValueInfo,
} from '../graph/onnx.js'
import { takeSegment } from '../graph/segment.js'
import { indexGraph, removeDeadNodes, sortNodes } from '../graph/topology.js'
import type { ClosingProduct } from './closing-product.js'

/** The state that the layer should return, [batch, tokens, hidden] in the type of the states. */
export const TARGET_INPUT = 'layerprune.target'
/** Float32 [batch * tokens, 1]: 1 for a token, 0 for padding. */
export const PRESENT_INPUT = 'layerprune.present'
/** Float32 [features, hidden]: added to the products' weights, and in the last row to a bias. */
export const CHANGE_INPUT = 'layerprune.change'

export const FEATURE_PRODUCTS = 'layerprune.feature_products'
export const RESIDUAL_PRODUCTS = 'layerprune.residual_products'
/** Weighted residual sum of squares. */
export const RESIDUAL_SQUARES = 'layerprune.residual_squares'
export const CHANGED_STATE = 'layerprune.changed_state'

/** Lower bound for the norm of a state, so that a token of zeros does not get an infinite weight. */
const SMALLEST_NORM = 1e-6

const name = (part: string) => `layerprune.fit.${part}`

/**
 * A layer as a graph that returns the second moments of a regression: which change of its products brings its output
 * closest to the target state, if none of them depended on another.
 *
 * Features are the inputs of the products, one after the other, and a one if the last has a bias, each times its
 * product's factor. The residual is the target minus the actual output. A token weighs 1 / |target|: the next layer
 * normalises the stream, so a token's error counts relative to the size of its state; yet the few tokens whose states
 * are a hundred times larger than the others' (Sun et al. 2024, arXiv 2402.17762) must be fitted more exactly than
 * that, because attention depends on them.
 *
 * Outputs, summed over tokens: feature times feature [features, features], feature times residual [features, hidden],
 * and the residual sum of squares [1, 1].
 */
export function takeMomentsGraph(decoder: DecoderGraph, products: ClosingProduct[]): DecoderGraph {
  return editLayer(decoder, products, (graph, { features, residual, weights }) => {
    graph.node.push(makeNode('Mul', [features, weights], [name('weighted')]))
    writeSquares(graph, residual, weights)
    graph.node.push(
      makeNode('Gemm', [name('weighted'), features], [FEATURE_PRODUCTS], { transA: 1 }),
      makeNode('Gemm', [name('weighted'), residual], [RESIDUAL_PRODUCTS], { transA: 1 }),
    )
    graph.output = [FEATURE_PRODUCTS, RESIDUAL_PRODUCTS, RESIDUAL_SQUARES].map((output) =>
      makeValueInfo(output, DataType.FLOAT, [`${output}.rows`, `${output}.columns`]),
    )
  })
}

/**
 * A layer with its products changed, as a graph that returns its output and the remaining residual sum of squares;
 * whatever depends on a product sees it unchanged.
 */
export function takeChangedGraph(decoder: DecoderGraph, products: ClosingProduct[]): DecoderGraph {
  return editLayer(decoder, products, (graph, { features, residual, weights, actual, stateType, state }) => {
    graph.input.push(makeValueInfo(CHANGE_INPUT, DataType.FLOAT, ['features', 'hidden']))
    graph.node.push(
      makeNode('Gemm', [features, CHANGE_INPUT], [name('added')]),
      makeNode('Sub', [residual, name('added')], [name('remaining')]),
    )
    writeSquares(graph, name('remaining'), weights)
    graph.node.push(
      makeNode('Add', [actual, name('added')], [name('changed')]),
      makeNode('Shape', [state], [name('state_shape')]),
      makeNode('Reshape', [name('changed'), name('state_shape')], [name('changed_state')]),
      makeNode('Cast', [name('changed_state')], [CHANGED_STATE], { to: stateType }),
    )
    graph.output = [
      makeValueInfo(CHANGED_STATE, stateType, ['batch', 'tokens', 'hidden']),
      makeValueInfo(RESIDUAL_SQUARES, DataType.FLOAT, ['one', 'one']),
    ]
  })
}

interface Tensors {
  /** The layer's own output. */
  state: string
  stateType: DataType
  /** Float32 [batch * tokens, features]. */
  features: string
  /** Float32 [batch * tokens, hidden]. */
  residual: string
  /** Float32 [batch * tokens, hidden]: the layer's own output. */
  actual: string
  /** Float32 [batch * tokens, 1]. */
  weights: string
}

function editLayer(
  decoder: DecoderGraph,
  products: ClosingProduct[],
  edit: (graph: GraphProto, tensors: Tensors) => void,
): DecoderGraph {
  const { layer, outputs } = products.at(-1)!
  const segment = takeSegment(decoder, { from: layer, to: layer + 1 })
  const graph = segment.model.graph
  const state = segment.states[1]!
  const stateType = findElementType(graph, indexGraph(graph), state)
  graph.input.push(
    makeValueInfo(TARGET_INPUT, stateType, ['batch', 'tokens', 'hidden']),
    makeValueInfo(PRESENT_INPUT, DataType.FLOAT, ['rows', 1]),
  )
  const features = writeFeatures(graph, products)
  const actual = writeRows(graph, state, 'actual', outputs)
  const target = writeRows(graph, TARGET_INPUT, 'target', outputs)
  const weights = writeWeights(graph, target, outputs)
  const residual = name('residual')
  graph.node.push(makeNode('Sub', [target, actual], [residual]))
  edit(graph, { state, stateType, features, residual, actual, weights })
  sortNodes(graph)
  removeDeadNodes(graph)
  return segment
}

/** A tensor [batch, tokens, width] as float32 [batch * tokens, width]. */
function writeRows(graph: GraphProto, tensor: string, part: string, width: number): string {
  graph.initializer.push(makeInt64Tensor(name(`${part}_rows`), [2], [-1, width]))
  graph.node.push(
    makeNode('Cast', [tensor], [name(`${part}_float`)], { to: DataType.FLOAT }),
    makeNode('Reshape', [name(`${part}_float`), name(`${part}_rows`)], [name(part)]),
  )
  return name(part)
}

function writeFeatures(graph: GraphProto, products: ClosingProduct[]): string {
  const scale = (tensor: string, factor: number, part: string) => {
    graph.initializer.push(makeFloatTensor(name(`${part}_factor`), [], [factor]))
    graph.node.push(makeNode('Mul', [tensor, name(`${part}_factor`)], [name(part)]))
    return name(part)
  }
  const parts = products.map(({ input, inputs, factor }, index) =>
    scale(writeRows(graph, input, `inputs_${index}`, inputs), factor, `part_${index}`),
  )
  const { bias, factor } = products.at(-1)!
  if (bias !== null) parts.push(scale(PRESENT_INPUT, factor, 'one'))
  graph.node.push(makeNode('Concat', parts, [name('features')], { axis: 1 }))
  return name('features')
}

/** The weight of each token, 1 / |target|, and 0 for padding. */
function writeWeights(graph: GraphProto, target: string, outputs: number): string {
  graph.initializer.push(
    makeFloatTensor(name('smallest'), [], [SMALLEST_NORM]),
    makeFloatTensor(name('ones'), [outputs, 1], new Array(outputs).fill(1)),
  )
  graph.node.push(
    makeNode('Mul', [target, target], [name('target_squared')]),
    makeNode('MatMul', [name('target_squared'), name('ones')], [name('target_norm_squared')]),
    makeNode('Sqrt', [name('target_norm_squared')], [name('target_norm')]),
    makeNode('Max', [name('target_norm'), name('smallest')], [name('norm')]),
    makeNode('Div', [PRESENT_INPUT, name('norm')], [name('weights')]),
  )
  return name('weights')
}

function writeSquares(graph: GraphProto, residual: string, weights: string): void {
  graph.node.push(
    makeNode('Mul', [residual, residual], [name('squared')]),
    makeNode('MatMul', [name('squared'), name('ones')], [name('squares')]),
    makeNode('Gemm', [weights, name('squares')], [RESIDUAL_SQUARES], { transA: 1 }),
  )
}

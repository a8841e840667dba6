import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { findElementType } from '../../model/graph/onnx/element-types.js'
import {
  DataType,
  type GraphProto,
  makeFloatTensor,
  makeInt64Tensor,
  makeNode,
  makeValueInfo,
  type ValueInfoProto,
} from '../../model/graph/onnx/onnx.js'
import { indexGraph, removeDeadNodes, sortNodes } from '../../model/graph/onnx/topology.js'
import { renameReads } from '../../model/graph/redirect-state.js'
import { takeSegment } from '../../model/graph/segment.js'
import type { ClosingProduct } from './closing-product.js'
import { panelBounds } from './symmetric-matrix.js'

/** The state that the layer should return, [batch, tokens, hidden] in the type of the states. */
export const TARGET_INPUT = 'layerprune.target'
/** Float32 [batch * tokens, 1]: 1 for a token, 0 for padding. */
export const PRESENT_INPUT = 'layerprune.present'
/** Float32 [features, hidden]: added to the products' weights, and in the last row to a bias. */
export const CHANGE_INPUT = 'layerprune.change'

export const RESIDUAL_PRODUCTS = 'layerprune.residual_products'
/** Weighted residual sum of squares. */
export const RESIDUAL_SQUARES = 'layerprune.residual_squares'
export const CHANGED_STATE = 'layerprune.changed_state'

/** The input of the first product as it is, to be given to a later graph of the same layer. */
export const PRODUCT_INPUT = 'layerprune.product_input'
/** Float32 [batch * tokens, features], and the layer's own output: what `takeAddingGraph` reads. */
export const FEATURES = 'layerprune.features'
export const OWN_STATE = 'layerprune.own_state'

/** Panel `index` of the products of features with each other, see `SymmetricMatrix`. */
export const featurePanel = (index: number) => `layerprune.feature_products_${index}`
/** The input of a product that an earlier graph returned, by its place among the layer's. */
export const givenInput = (place: number) => `layerprune.given_input_${place}`

/** Lower bound for the norm of a state, so that a token of zeros does not get an infinite weight. */
const SMALLEST_NORM = 1e-6

const name = (part: string) => `layerprune.fit.${part}`

/** Products of a layer that are fitted together. */
export interface FitGraphOptions {
  products: ClosingProduct[]
  /** Products before them whose inputs are given, and so not computed again. */
  given?: ClosingProduct[]
}

/** How many features each product has, that of the last with the one of its bias. */
export function countGroups(products: ClosingProduct[]): number[] {
  return products.map(({ inputs, bias }) => inputs + (bias === null ? 0 : 1))
}

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
 * Outputs, summed over tokens: feature times feature in panels, feature times residual [features, hidden], and the
 * residual sum of squares [1, 1]. Then, of several products, what later graphs read: `PRODUCT_INPUT`.
 */
export function takeMomentsGraph(decoder: DecoderGraph, options: FitGraphOptions): DecoderGraph {
  const { products } = options
  return editLayer(decoder, options, (graph, tensors) => {
    const inputs = products.length > 1 ? [writeOutput(graph, products[0]!.input, PRODUCT_INPUT)] : []
    graph.output = [...writeMoments(graph, tensors, products), ...inputs]
  })
}

/** A layer as a graph that returns its own output and the features of one product. */
export function takeFeaturesGraph(decoder: DecoderGraph, product: ClosingProduct): DecoderGraph {
  return editLayer(decoder, { products: [product] }, (graph, { features, state, stateType }) => {
    graph.output = [
      writeOutput(graph, state, OWN_STATE, stateType),
      writeOutput(graph, features, FEATURES, DataType.FLOAT),
    ]
  })
}

/** The moments that `takeMomentsGraph` returns, from what `takeFeaturesGraph` returned: a graph of no layer. */
export function takeFeatureMomentsGraph(decoder: DecoderGraph, product: ClosingProduct): DecoderGraph {
  return editNoLayer(decoder, product, (graph, stateType) => {
    graph.input.push(
      makeValueInfo(TARGET_INPUT, stateType, ['batch', 'tokens', 'hidden']),
      makeValueInfo(PRESENT_INPUT, DataType.FLOAT, ['rows', 1]),
    )
    const tensors = writeResidual(graph, OWN_STATE, product.outputs)
    graph.output = writeMoments(graph, { ...tensors, features: FEATURES }, [product])
  })
}

/** A layer with its products changed, as a graph that returns its output; what reads a product is unchanged. */
export function takeChangedGraph(decoder: DecoderGraph, products: ClosingProduct[]): DecoderGraph {
  return editLayer(decoder, { products }, (graph, { features, state, stateType }) => {
    graph.input.push(makeValueInfo(CHANGE_INPUT, DataType.FLOAT, ['features', 'hidden']))
    graph.output = [writeChangedState(graph, { features, state, stateType })]
  })
}

/** What `takeChangedGraph` returns, from what `takeFeaturesGraph` returned: a graph of no layer. */
export function takeAddingGraph(decoder: DecoderGraph, product: ClosingProduct): DecoderGraph {
  return editNoLayer(decoder, product, (graph, stateType) => {
    graph.input.push(makeValueInfo(CHANGE_INPUT, DataType.FLOAT, ['features', 'hidden']))
    graph.output = [writeChangedState(graph, { features: FEATURES, state: OWN_STATE, stateType })]
  })
}

/** A graph that reads what the graph of a layer returned. */
function editNoLayer(
  decoder: DecoderGraph,
  { layer }: ClosingProduct,
  edit: (graph: GraphProto, stateType: DataType) => void,
): DecoderGraph {
  const segment = takeSegment(decoder, { from: layer, to: layer + 1 })
  const graph = segment.model.graph
  const stateType = findElementType(graph, indexGraph(graph), segment.states[1]!)
  graph.input.push(
    makeValueInfo(FEATURES, DataType.FLOAT, ['rows', 'features']),
    makeValueInfo(OWN_STATE, stateType, ['batch', 'tokens', 'hidden']),
  )
  edit(graph, stateType)
  removeDeadNodes(graph)
  return segment
}

interface Tensors {
  /** The layer's own output. */
  state: string
  stateType: DataType
  /** Float32 [batch * tokens, features]. */
  features: string
  /** Float32 [batch * tokens, hidden]. */
  residual: string
  /** Float32 [batch * tokens, 1]. */
  weights: string
}

function editLayer(
  decoder: DecoderGraph,
  { products, given = [] }: FitGraphOptions,
  edit: (graph: GraphProto, tensors: Tensors) => void,
): DecoderGraph {
  const { layer, outputs } = products.at(-1)!
  const segment = takeSegment(decoder, { from: layer, to: layer + 1 })
  const graph = segment.model.graph
  const state = segment.states[1]!
  const topology = indexGraph(graph)
  const stateType = findElementType(graph, topology, state)
  graph.input.push(
    makeValueInfo(TARGET_INPUT, stateType, ['batch', 'tokens', 'hidden']),
    makeValueInfo(PRESENT_INPUT, DataType.FLOAT, ['rows', 1]),
    ...given.map(({ input }, place) => makeValueInfo(givenInput(place), findElementType(graph, topology, input))),
  )
  renameReads(graph, new Map(given.map(({ input }, place) => [input, givenInput(place)])))
  const features = writeFeatures(graph, products)
  edit(graph, { ...writeResidual(graph, state, outputs), state, stateType, features })
  sortNodes(graph)
  removeDeadNodes(graph)
  return segment
}

/** The residual of a layer's output against the target, and the weights of the tokens. */
function writeResidual(graph: GraphProto, state: string, outputs: number): Pick<Tensors, 'residual' | 'weights'> {
  const actual = writeRows(graph, state, 'actual', outputs)
  const target = writeRows(graph, TARGET_INPUT, 'target', outputs)
  const weights = writeWeights(graph, target, outputs)
  const residual = name('residual')
  graph.node.push(makeNode('Sub', [target, actual], [residual]))
  return { residual, weights }
}

/** @returns the outputs that hold the moments */
function writeMoments(
  graph: GraphProto,
  { features, residual, weights }: Pick<Tensors, 'features' | 'residual' | 'weights'>,
  products: ClosingProduct[],
): ValueInfoProto[] {
  writeSquares(graph, residual, weights)
  graph.node.push(
    makeNode('Mul', [features, weights], [name('weighted')]),
    makeNode('Transpose', [features], [name('transposed')], { perm: [1, 0] }),
    makeNode('Mul', [residual, weights], [name('weighted_residual')]),
    makeNode('MatMul', [name('transposed'), name('weighted_residual')], [RESIDUAL_PRODUCTS]),
  )
  const panels = writePanels(graph, panelBounds(countGroups(products)))
  return [...panels, RESIDUAL_PRODUCTS, RESIDUAL_SQUARES].map((output) =>
    makeValueInfo(output, DataType.FLOAT, [`${output}.rows`, `${output}.columns`]),
  )
}

/** Returns a tensor under another name. */
function writeOutput(
  graph: GraphProto,
  tensor: string,
  output: string,
  type = findElementType(graph, indexGraph(graph), tensor),
): ValueInfoProto {
  graph.node.push(makeNode('Identity', [tensor], [output]))
  return makeValueInfo(output, type)
}

/** A state plus what changed products add to it. */
function writeChangedState(
  graph: GraphProto,
  { features, state, stateType }: Pick<Tensors, 'features' | 'state' | 'stateType'>,
): ValueInfoProto {
  graph.node.push(
    makeNode('MatMul', [features, CHANGE_INPUT], [name('added')]),
    makeNode('Shape', [state], [name('state_shape')]),
    makeNode('Reshape', [name('added'), name('state_shape')], [name('added_state')]),
    makeNode('Cast', [state], [name('state_float')], { to: DataType.FLOAT }),
    makeNode('Add', [name('state_float'), name('added_state')], [name('changed')]),
    makeNode('Cast', [name('changed')], [CHANGED_STATE], { to: stateType }),
  )
  return makeValueInfo(CHANGED_STATE, stateType, ['batch', 'tokens', 'hidden'])
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
    if (factor === 1) return tensor
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

/**
 * The weighted Gram matrix of the features, its upper triangle only, block by block: as rows of the transposed features
 * and columns of the weighted ones.
 * @returns names of the panels
 */
function writePanels(graph: GraphProto, bounds: number[]): string[] {
  const ends = bounds.slice(1)
  for (const [index, bound] of bounds.entries()) {
    graph.initializer.push(makeInt64Tensor(name(`bound_${index}`), [1], [bound]))
  }
  graph.initializer.push(makeInt64Tensor(name('axis_0'), [1], [0]), makeInt64Tensor(name('axis_1'), [1], [1]))
  const slice = (tensor: string, index: number, axis: number, result: string) => {
    const [from, to] = [name(`bound_${index}`), name(`bound_${index + 1}`)]
    graph.node.push(makeNode('Slice', [tensor, from, to, name(`axis_${axis}`)], [result]))
    return result
  }
  const rows = ends.map((_, index) => slice(name('transposed'), index, 0, name(`rows_${index}`)))
  return ends.map((_, index) => {
    const columns = slice(name('weighted'), index, 1, name(`columns_${index}`))
    const blocks = rows.slice(0, index + 1).map((row, above) => {
      const block = name(`block_${above}_${index}`)
      graph.node.push(makeNode('MatMul', [row, columns], [block]))
      return block
    })
    graph.node.push(makeNode('Concat', blocks, [featurePanel(index)], { axis: 0 }))
    return featurePanel(index)
  })
}

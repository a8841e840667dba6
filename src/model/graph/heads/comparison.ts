import type { DecoderGraph } from '../decoder-graph.js'
import { joinGraphs } from '../onnx/join.js'
import {
  DataType,
  type ModelProto,
  makeInt64Tensor,
  makeNode,
  makeValueInfo,
  type NodeProto,
  opsetOf,
} from '../onnx/onnx.js'
import { removeDeadNodes, sortNodes } from '../onnx/topology.js'
import { STATE_INPUT } from '../segment.js'
import { HEAD_LOGITS, TARGETS_INPUT, takeHead } from './likelihood.js'

/** Output of a comparison head: float32 [positions, models, 3], see `COMPARED`. */
const COMPARISON_OUTPUT = 'layerprune.comparison'

/** Numbers that a comparison head returns for each position and model, in this order. */
export const COMPARED = ['logLikelihood', 'divergence', 'agreement'] as const

/**
 * The end of a decoder as a graph that compares the predictions of several models with the same head. It takes their
 * last states, [positions * models, 1, hidden], grouped by position with the reference model first, and the next token,
 * [positions, models, 1]. For each position and model it returns
 * - the log-probability of the next token,
 * - the Kullback-Leibler divergence from the reference, sum p log(p / q) with p the reference's probabilities, in nats,
 * - 1 if the reference's most probable token is also the model's, else 0.
 *
 * All is in float32: a divergence is exact to about 1e-6, and may be that far below 0.
 * @throws LayerpruneError if the decoder has no head
 */
export function takeComparisonHead(decoder: DecoderGraph): DecoderGraph {
  const head = takeHead(decoder)
  const graph = head.model.graph
  graph.initializer.push(makeInt64Tensor(name('two'), [1], [2]), makeInt64Tensor(name('vocabulary'), [1], [-1]))
  graph.node.push(
    makeNode('Slice', [SHAPE, name('zero'), name('two')], [name('positions_models')]),
    makeNode('Concat', [name('positions_models'), name('vocabulary')], [name('logits_shape')], { axis: 0 }),
    makeNode('Reshape', [HEAD_LOGITS, name('logits_shape')], [LOGITS]),
  )
  addComparison(head.model)
  return head
}

const REFERENCE_PREFIX = 'layerprune.reference.'

/** Input of a pair head: the reference model's last state, [positions, 1, hidden]. */
export const REFERENCE_STATE_INPUT = REFERENCE_PREFIX + STATE_INPUT

/**
 * Like `takeComparisonHead`, for two decoders with different heads. The graph takes the last states of model and
 * reference, [positions, 1, hidden] each, and the next token, [positions, 2, 1]; its output has the reference first.
 * Inputs made from texts are shared; weights that the decoders have in common are held twice.
 * @throws LayerpruneError if a decoder has no head
 */
export function takePairHead(decoder: DecoderGraph, reference: DecoderGraph): DecoderGraph {
  const own = takeHead(decoder)
  const other = takeHead(reference)
  for (const head of [own, other]) {
    head.model.graph.output = [makeValueInfo(HEAD_LOGITS, DataType.FLOAT, ['positions', 1, 'vocabulary'])]
    sortNodes(head.model.graph)
    removeDeadNodes(head.model.graph)
  }
  const pair = joinGraphs(own, other, { prefix: REFERENCE_PREFIX, apart: [STATE_INPUT] })
  pair.model.graph.initializer.push(makeInt64Tensor(name('rows'), [3], [0, 1, -1]))
  pair.model.graph.node.push(
    makeNode('Reshape', [HEAD_LOGITS, name('rows')], [name('own')]),
    makeNode('Reshape', [REFERENCE_PREFIX + HEAD_LOGITS, name('rows')], [name('reference')]),
    makeNode('Concat', [name('reference'), name('own')], [LOGITS], { axis: 1 }),
  )
  addComparison(pair.model)
  return pair
}

function name(part: string): string {
  return `layerprune.comparison.${part}`
}

/** float32 [positions, models, vocabulary], the reference first. */
const LOGITS = name('logits')

/** The shape of the targets, [positions, models, 1]. */
const SHAPE = name('shape')

/** Adds the nodes from LOGITS to the output, which replaces the graph's outputs. */
function addComparison(model: ModelProto): void {
  const { graph } = model
  graph.initializer.push(makeInt64Tensor(name('zero'), [1], [0]), makeInt64Tensor(name('one'), [1], [1]))
  const first = (tensor: string, result: string) =>
    makeNode('Slice', [tensor, name('zero'), name('one'), name('one')], [name(result)])
  graph.node.push(
    makeNode('Shape', [TARGETS_INPUT], [SHAPE]),
    makeNode('LogSoftmax', [LOGITS], [name('log_q')], { axis: 2 }),
    makeNode('GatherElements', [name('log_q'), TARGETS_INPUT], [name('likelihood')], { axis: 2 }),
    first(name('log_q'), 'log_p'),
    makeNode('Exp', [name('log_p')], [name('p')]),
    makeNode('Transpose', [name('p')], [name('p_column')], { perm: [0, 2, 1] }),
    // sum p log q; the first model's is sum p log p
    makeNode('MatMul', [name('log_q'), name('p_column')], [name('expected')]),
    first(name('expected'), 'negative_entropy'),
    makeNode('Sub', [name('negative_entropy'), name('expected')], [name('divergence')]),
    // a model agrees if none of its tokens is more probable than the reference's top token
    makeNode('ArgMax', [name('log_p')], [name('top')], { axis: 2 }),
    makeNode('Expand', [name('top'), SHAPE], [name('tops')]),
    makeNode('GatherElements', [name('log_q'), name('tops')], [name('at_top')], { axis: 2 }),
    reduceMax(model, name('log_q'), name('most')),
    makeNode('Equal', [name('at_top'), name('most')], [name('agrees')]),
    makeNode('Cast', [name('agrees')], [name('agreement')], { to: DataType.FLOAT }),
    makeNode('Concat', [name('likelihood'), name('divergence'), name('agreement')], [COMPARISON_OUTPUT], {
      axis: 2,
    }),
  )
  graph.input.push(makeValueInfo(TARGETS_INPUT, DataType.INT64, ['positions', 'models', 1]))
  graph.output = [makeValueInfo(COMPARISON_OUTPUT, DataType.FLOAT, ['positions', 'models', COMPARED.length])]
  sortNodes(graph)
  removeDeadNodes(graph)
}

/** Maximum over the last of three axes; opset 18 made the axes an input. Much faster than ArgMax. */
function reduceMax(model: ModelProto, tensor: string, result: string): NodeProto {
  if (opsetOf(model) < 18) return makeNode('ReduceMax', [tensor], [result], { axes: [2] })
  model.graph.initializer.push(makeInt64Tensor(name('last_axis'), [1], [2]))
  return makeNode('ReduceMax', [tensor, name('last_axis')], [result])
}

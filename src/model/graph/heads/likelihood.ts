import { LayerpruneError } from '../../../base/errors.js'
import type { DecoderGraph } from '../decoder-graph.js'
import { DataType, makeInt64Tensor, makeNode, makeValueInfo } from '../onnx/onnx.js'
import { indexGraph, nodesDownstream, removeDeadNodes, sortNodes } from '../onnx/topology.js'
import { feedState } from '../segment.js'

/** Input of a likelihood head: int64 [positions, 1], the token after each position. */
export const TARGETS_INPUT = 'layerprune.targets'

/** Output of a likelihood head: float32 [positions, 1], the log-probability of each target. */
const LIKELIHOOD_OUTPUT = 'layerprune.log_likelihood'

/**
 * The end of a decoder, from state L to its logits, as a graph that takes states at any positions,
 * [positions, 1, hidden], and returns the log-probabilities of the next tokens. Everything before `logits` is included,
 * such as logit scales and caps. The softmax is in float32.
 *
 * The batch axis holds positions, so an export that keeps only the last token's logits returns all of them.
 * @throws LayerpruneError if the decoder has no head
 */
export function takeLikelihoodHead(decoder: DecoderGraph): DecoderGraph {
  const head = takeHead(decoder)
  const graph = head.model.graph
  graph.initializer.push(makeInt64Tensor(name('rows'), [2], [0, -1]))
  graph.node.push(
    makeNode('Reshape', [HEAD_LOGITS, name('rows')], [name('logits')]),
    makeNode('LogSoftmax', [name('logits')], [name('log_softmax')], { axis: 1 }),
    makeNode('GatherElements', [name('log_softmax'), TARGETS_INPUT], [LIKELIHOOD_OUTPUT], { axis: 1 }),
  )
  graph.input.push(makeValueInfo(TARGETS_INPUT, DataType.INT64, ['positions', 1]))
  graph.output = [makeValueInfo(LIKELIHOOD_OUTPUT, DataType.FLOAT, ['positions', 1])]
  sortNodes(graph)
  removeDeadNodes(graph)
  return head
}

/** Float32 logits of a graph that `takeHead` made. */
export const HEAD_LOGITS = name('float')

/**
 * The end of a decoder up to its logits, in float32, for callers that append nodes; its outputs are the decoder's.
 * @throws LayerpruneError if the decoder has no head
 */
export function takeHead(decoder: DecoderGraph): DecoderGraph {
  const head = feedState(decoder, decoder.states.length - 1)
  const graph = head.model.graph
  const topology = indexGraph(graph)
  const logits = graph.output.find(({ name }) => name === 'logits')
  const producer = topology.producer.get('logits')
  if (!logits || producer === undefined || !nodesDownstream(topology, head.states).has(producer)) {
    const names = decoder.model.graph.output.map(({ name }) => name)
    throw new LayerpruneError(
      `the model has no head, so it gives no perplexity: expected an output logits, found ${names.slice(0, 3).join(', ')}`,
      { hint: 'the checkpoint was saved without lm_head: take one that was saved for text generation' },
    )
  }
  graph.node.push(makeNode('Cast', ['logits'], [HEAD_LOGITS], { to: DataType.FLOAT }))
  return head
}

function name(part: string): string {
  return `layerprune.head.${part}`
}

/** Second output of a continuation head: int64 [positions, 1], the most likely token after each position. */
export const TOP_TOKEN_OUTPUT = 'layerprune.top_token'

/**
 * A likelihood head that also returns the most likely token.
 * @throws LayerpruneError if the decoder has no head
 */
export function takeContinuationHead(decoder: DecoderGraph): DecoderGraph {
  const head = takeLikelihoodHead(decoder)
  const graph = head.model.graph
  const softmax = graph.node.find(({ opType }) => opType === 'LogSoftmax')!
  graph.node.push(makeNode('ArgMax', [softmax.input[0]!], [TOP_TOKEN_OUTPUT], { axis: 1, keepdims: 1 }))
  graph.output.push(makeValueInfo(TOP_TOKEN_OUTPUT, DataType.INT64, ['positions', 1]))
  return head
}

/** Output of a next-token head: int64 [positions], the most likely token after each position. */
export const NEXT_TOKEN_OUTPUT = 'layerprune.next_token'

/**
 * The end of a decoder as a graph that takes states at any positions, [positions, 1, hidden], and returns the most
 * likely next token of each, the first one if several are equal.
 * @throws LayerpruneError if the decoder has no head
 */
export function takeNextTokenHead(decoder: DecoderGraph): DecoderGraph {
  const head = takeLikelihoodHead(decoder)
  const graph = head.model.graph
  const [logits] = graph.node.find(({ opType }) => opType === 'LogSoftmax')!.input
  graph.node.push(makeNode('ArgMax', [logits!], [NEXT_TOKEN_OUTPUT], { axis: 1, keepdims: 0 }))
  graph.input = graph.input.filter(({ name }) => name !== TARGETS_INPUT)
  graph.output = [makeValueInfo(NEXT_TOKEN_OUTPUT, DataType.INT64, ['positions'])]
  removeDeadNodes(graph)
  return head
}

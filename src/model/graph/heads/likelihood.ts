import { LayerpruneError } from '../../../base/errors.js'
import type { DecoderGraph } from '../decoder-graph.js'
import { DataType, makeInt64Tensor, makeNode, makeValueInfo } from '../onnx/onnx.js'
import { indexGraph, nodesDownstream, removeDeadNodes, sortNodes } from '../onnx/topology.js'
import { feedState } from '../segment.js'

/** Input of a likelihood head: int64 [positions, 1], the token that follows each position. */
export const TARGETS_INPUT = 'layerprune.targets'

/** Output of a likelihood head: float32 [positions, 1], the logarithm of each target's probability. */
const LIKELIHOOD_OUTPUT = 'layerprune.log_likelihood'

/**
 * The end of a decoder, from state L through its final norm and its head, as a graph that takes states at any
 * positions, [positions, 1, hidden], and returns the probabilities that it gives to the next tokens. Everything between
 * state and `logits` is included, such as logit scales and caps. The softmax is in float32.
 *
 * Positions take the place of the batch, so that an export that keeps only the last token's logits keeps them all.
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

/** Logits of a head that `takeHead` took, in float32. */
export const HEAD_LOGITS = name('float')

/**
 * The end of a decoder up to its logits, in float32, as nodes that may be added to; its outputs are the decoder's.
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

import type { DecoderGraph } from '../decoder-graph.js'
import { DataType, makeNode, makeValueInfo } from '../onnx/onnx.js'
import { removeDeadNodes } from '../onnx/topology.js'
import { TARGETS_INPUT, takeLikelihoodHead } from './likelihood.js'

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

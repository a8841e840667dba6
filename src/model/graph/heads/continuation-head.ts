import type { DecoderGraph } from '../decoder-graph.js'
import { DataType, makeNode, makeValueInfo } from '../onnx/onnx.js'
import { takeLikelihoodHead } from './likelihood.js'

/** Second output: int64 [positions, 1], the most likely token after each position. */
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

import type { DecoderGraph } from './decoder-graph.js'
import { MICROSOFT_DOMAIN, type NodeProto } from './onnx/onnx.js'

/** Position of the input of logits that take part in the softmax beside the scores. */
const SINKS_INPUT = 11

/** Whether attention holds scores of pairs of tokens, rather than passing over the keys once in one node. */
export function holdsScores({ model }: Pick<DecoderGraph, 'model'>): boolean {
  const { node } = model.graph
  return node.some(({ opType }) => opType === 'Softmax') || !node.some(passesOnce)
}

function passesOnce({ opType, domain, attribute, input }: NodeProto): boolean {
  if (opType !== 'GroupQueryAttention' || domain !== MICROSOFT_DOMAIN) return false
  const isCapped = attribute.some(
    ({ name, f, i }) => /^(softcap|smooth_softmax)$/.test(name) && (f > 0 || i > 0n),
  )
  return !isCapped && (input[SINKS_INPUT] ?? '') === ''
}

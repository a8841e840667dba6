import type { DecoderGraph } from './decoder-graph.js'
import { MICROSOFT_DOMAIN, type NodeProto } from './onnx/onnx.js'

/** Index of GroupQueryAttention's input of attention sinks. */
const SINKS_INPUT = 11

/** Whether attention holds the scores of all pairs of tokens instead of streaming over the keys. */
export function holdsScores({ model }: Pick<DecoderGraph, 'model'>): boolean {
  const { node } = model.graph
  return node.some(({ opType }) => opType === 'Softmax') || !node.some(passesOnce)
}

function passesOnce({ opType, domain, attribute, input }: NodeProto): boolean {
  if (opType !== 'GroupQueryAttention' || domain !== MICROSOFT_DOMAIN) return false
  const isCapped = attribute.some(({ name, f, i }) => /^(softcap|smooth_softmax)$/.test(name) && (f > 0 || i > 0n))
  return !isCapped && (input[SINKS_INPUT] ?? '') === ''
}

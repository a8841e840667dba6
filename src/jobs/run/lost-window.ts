import { isObject } from '../../base/is-object.js'
import type { ModelConfig } from '../../files/checkpoint/config.js'
import { findCutFacts } from '../../model/families/find-facts.js'
import { type GraphProto, MICROSOFT_DOMAIN, type NodeProto } from '../../model/graph/onnx/onnx.js'
import { listScalars } from '../../model/graph/scalar-constants.js'

/** Position of the input that adds to the scores of attention, and may hide tokens. */
const BIAS_INPUT = 10

/** The window that attention has by the config but not in the graph: some exporters lose it. Null if none is lost. */
export function findLostWindow(config: ModelConfig, graph: GraphProto): number | null {
  const window = statedWindow(config)
  return window === null || mayHaveWindow(graph, window) ? null : window
}

/** Attention in one node says its window; a mask is made by comparing positions with it, or a neighbour of it. */
function mayHaveWindow(graph: GraphProto, window: number): boolean {
  const attention = graph.node.filter(
    ({ opType, domain }) => opType === 'GroupQueryAttention' && domain === MICROSOFT_DOMAIN,
  )
  if (attention.length > 0) return attention.some(mayHideTokens)
  return listScalars(graph).some((value) => Math.abs(Math.abs(value) - window) <= 1)
}

function mayHideTokens({ attribute, input }: NodeProto): boolean {
  return (input[BIAS_INPUT] ?? '') !== '' || attribute.some(({ name, i }) => name === 'local_window_size' && i > 0n)
}

/** config.json states a number, genai_config.json an object. */
function statedWindow({ family, raw }: ModelConfig): number | null {
  const { sliding_window, use_sliding_window, layer_types } = raw
  const window = isObject(sliding_window) ? sliding_window.window_size : sliding_window
  const isOn = isObject(sliding_window) || (use_sliding_window ?? !findCutFacts(family).windowOffByDefault) === true
  const slides = !Array.isArray(layer_types) || layer_types.includes('sliding_attention')
  return typeof window === 'number' && window > 0 && isOn && slides ? window : null
}

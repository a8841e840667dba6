import type { ModelConfig } from '../checkpoint/config.js'
import { type GraphProto, MICROSOFT_DOMAIN, type NodeProto } from '../graph/onnx.js'
import { isObject } from '../is-object.js'

/** Position of the input that adds to the scores of attention, and may hide tokens. */
const BIAS_INPUT = 10

/**
 * The window of tokens that attention has by the config and not in the graph, which some exporters lose: of longer
 * texts, the graph computes something else than the model. Attention that is not one node cannot be judged.
 * @returns null if no window is lost
 */
export function findLostWindow({ raw }: ModelConfig, { node }: GraphProto): number | null {
  const attention = node.filter(
    ({ opType, domain }) => opType === 'GroupQueryAttention' && domain === MICROSOFT_DOMAIN,
  )
  if (attention.length === 0 || attention.some(mayHideTokens)) return null
  return statedWindow(raw)
}

function mayHideTokens({ attribute, input }: NodeProto): boolean {
  return (
    (input[BIAS_INPUT] ?? '') !== '' ||
    attribute.some(({ name, i }) => name === 'local_window_size' && i > 0n)
  )
}

/** config.json states a number, genai_config.json an object. */
function statedWindow({
  sliding_window,
  use_sliding_window,
  layer_types,
}: Record<string, unknown>): number | null {
  const window = isObject(sliding_window) ? sliding_window.window_size : sliding_window
  const slides = !Array.isArray(layer_types) || layer_types.includes('sliding_attention')
  return typeof window === 'number' && window > 0 && use_sliding_window !== false && slides ? window : null
}

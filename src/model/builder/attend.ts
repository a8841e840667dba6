import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import { writeCachedAttention } from './cached-attention.js'
import { type AttentionForm, writeCausalAttention } from './causal-attention.js'
import type { QueryKeyValue } from './projections.js'
import type { SharedInputs } from './shared-inputs.js'
import type { SpanForm } from './span-bias.js'

/**
 * Attention of all heads, over whole texts or, with the keys and values that `extendKeysAndValues` returns, over texts
 * that are continued: [batch, tokens, heads * value size].
 * @param seen  which keys a query sees
 */
export function attend(
  writer: GraphWriter,
  form: AttentionForm,
  seen: SpanForm,
  inputs: QueryKeyValue & { sinks?: string | null },
  shared: SharedInputs,
): string {
  return shared.shape.continued === null
    ? writeCausalAttention(writer, form, inputs, shared.spans(seen))
    : writeCachedAttention(writer, form, inputs, shared.continuedBias(seen))
}

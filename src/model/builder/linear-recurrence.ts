import { type ContinuedTexts, clearPadding, type StateKind } from './caches.js'
import type { DecoderWriter } from './decoder-writer.js'

/** Queries and keys [batch, tokens, query heads * state size], values [batch, tokens, heads * head size]. */
interface RecurrenceInputs {
  query: string
  key: string
  value: string
  /** Logarithms of the factors on the states of earlier tokens. */
  decay: string
  /** How far a token moves the state; only for the delta rule. */
  beta?: string
}

interface RecurrenceForm {
  queryHeads: number
  heads: number
  /** Shape of a head's state: [state size, head size]. */
  state: [number, number]
  rule: 'gated' | 'gated_delta'
  scale: number
  /** The kind of cache that holds the states. */
  kind: StateKind
}

/** Reads the states of a linear recurrence at each token: [batch, tokens, heads * head size]. */
export function writeLinearRecurrence(
  writer: DecoderWriter,
  { query, key, value, decay, beta }: RecurrenceInputs,
  { queryHeads, heads, state, rule, scale, kind }: RecurrenceForm,
  continued: ContinuedTexts | null,
): string {
  // a token of padding that adds nothing leaves the state at zero
  const added = clearPadding(writer, continued, value)
  const write = (past: string) =>
    writer.ops('LinearAttention', [query, key, added, past, decay, ...(beta === undefined ? [] : [beta])], 2, {
      q_num_heads: queryHeads,
      kv_num_heads: heads,
      update_rule: rule,
      scale: { float: scale },
    }) as [string, string]
  return continued === null ? write('')[0] : continued.caches.replace(kind, [heads, ...state], write)
}

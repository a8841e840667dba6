import { ContinuedSession } from '../../engine/sessions/continued-session.js'
import type { PlacedOptions } from '../../engine/sessions/session.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { indexOfLargest } from '../evaluate/continue-texts.js'

/** What a model makes of the check's texts. */
export interface Reading {
  /** Of all tokens after the first of each text. */
  perplexity: number
  /** The most likely tokens after each text, one after another. */
  continuations: number[][]
}

/** After each text. */
export const CONTINUED_TOKENS = 16

/**
 * Reads texts with a graph that continues texts, in one batch whose shorter texts are padded, and continues them token by
 * token with its caches. Throws as `ContinuedSession.open`.
 * @param texts  ids, at least two of each
 */
export async function readCheckTexts(
  decoder: DecoderGraph,
  texts: number[][],
  { signal, ...options }: PlacedOptions & { signal?: AbortSignal | undefined },
): Promise<Reading> {
  const session = await ContinuedSession.open(decoder, texts.length, options)
  try {
    const longest = Math.max(...texts.map(({ length }) => length))
    const logits = await session.read(texts, 0)
    const vocabulary = logits[0]!.length / longest
    const last = logits.map((rows) => rows.subarray(rows.length - vocabulary))
    const continuations = texts.map((): number[] => [])
    let sum = 0
    for (const [text, ids] of texts.entries()) {
      const padding = longest - ids.length
      for (let token = 1; token < ids.length; token++) {
        const start = (padding + token - 1) * vocabulary
        sum += logLikelihood(logits[text]!.subarray(start, start + vocabulary), ids[token]!)
      }
    }
    let next = last.map(indexOfLargest)
    for (let step = 0; step < CONTINUED_TOKENS; step++) {
      signal?.throwIfAborted()
      for (const [text, id] of next.entries()) continuations[text]!.push(id)
      if (step < CONTINUED_TOKENS - 1) next = (await session.read(next.map((id) => [id]))).map(indexOfLargest)
    }
    const tokens = texts.reduce((count, { length }) => count + length - 1, 0)
    return { perplexity: Math.exp(-sum / tokens), continuations }
  } finally {
    await session.close()
  }
}

/** Logarithm of a token's probability, summed in float64. */
function logLikelihood(logits: Float32Array, token: number): number {
  const largest = logits.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY)
  const sum = logits.reduce((total, value) => total + Math.exp(value - largest), 0)
  return logits[token]! - largest - Math.log(sum)
}

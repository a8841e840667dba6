import type { ModelConfig } from '../checkpoint/config.js'

/** Numbers held for each token at the peak, as multiples of the hidden size. */
const NUMBERS_PER_TOKEN = 24

/** Copies of the scores of a quarter of the queries that are held at a time. */
const SCORE_COPIES = 6

/** Bytes that a run takes at its peak besides the weights, fitted to measurements of real runs. */
export function countRunBytes(
  { hiddenSize, heads }: ModelConfig,
  { texts, tokens }: { texts: number; tokens: number },
): number {
  const perToken = NUMBERS_PER_TOKEN * hiddenSize + SCORE_COPIES * heads * (tokens / 4)
  return texts * tokens * perToken * Float32Array.BYTES_PER_ELEMENT
}

import type { ModelConfig } from '../../files/checkpoint/config.js'
import { type DecoderGraph, findLogitSize } from '../../model/graph/decoder-graph.js'
import { countParameters } from '../run/parameters.js'

/** Floating-point operations on each token of sequences of one length. */
export interface TokenCost {
  /** From the token to the logits. */
  forward: number
  /** Forward, and back to the trained weights: the frozen ones have no gradient. */
  step: number
}

/** Counts the operations of the matrix products that a token passes, in a decoder without trained weights. */
export function countTokenCost(
  decoder: DecoderGraph,
  { layers, heads, headDim, hiddenSize }: Pick<ModelConfig, 'layers' | 'heads' | 'headDim' | 'hiddenSize'>,
  sequence: number,
): TokenCost {
  const { attention, mixers, mlp, other } = countParameters(decoder)
  const vocabulary = Number(findLogitSize(decoder) ?? 0)
  const products = 2 * (attention + mixers + mlp + other + vocabulary * hiddenSize)
  const pairs = 4 * layers * heads * headDim * sequence
  // back through a product is one product; back through attention is two for each of its two
  return { forward: products + pairs, step: 2 * products + 3 * pairs }
}

import type { DecoderGraph } from './decoder-graph.js'

/**
 * Inputs of a decoder whose texts may be prefix trees: texts with common beginnings, in depth-first order, with each
 * common part written once. A token sees itself and its ancestors, as in tree attention (Miao et al. 2023,
 * arXiv 2305.09781).
 */

/** int64 [batch, tokens]: number of ancestors of each token. */
export const POSITIONS_INPUT = 'position_ids'

/** int64 [batch, tokens]: index of the first later token that does not see this one. */
export const SEEN_UNTIL_INPUT = 'layerprune.seen_until'

/** Whether the texts of a decoder may be prefix trees. */
export function takesTrees({ model }: Pick<DecoderGraph, 'model'>): boolean {
  return model.graph.input.some(({ name }) => name === SEEN_UNTIL_INPUT)
}

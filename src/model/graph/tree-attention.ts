import type { DecoderGraph } from './decoder-graph.js'

/**
 * Inputs of a decoder whose texts may be prefix trees: texts that begin alike, written one after another in depth-first
 * order, what they have in common once. A token sees itself and those before it on the way from the root, as in tree
 * attention (Miao et al. 2023, arXiv 2305.09781).
 */

/** int64 [batch, tokens]: how many tokens precede each on the way from the root. */
export const POSITIONS_INPUT = 'position_ids'

/** int64 [batch, tokens]: place of the first token after each that does not see it. */
export const SEEN_UNTIL_INPUT = 'layerprune.seen_until'

/** Whether the texts of a decoder may be prefix trees. */
export function takesTrees({ model }: Pick<DecoderGraph, 'model'>): boolean {
  return model.graph.input.some(({ name }) => name === SEEN_UNTIL_INPUT)
}

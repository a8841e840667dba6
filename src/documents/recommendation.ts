import type { Block } from '../layers/block.js'
import { findBestBlock } from './score-blocks.js'
import type { SimilarityResult } from './similarity-result.js'

/** What a recommendation needs of a result, verified or not. */
export type Recommending = Pick<SimilarityResult, 'distances' | 'layersToSkip'> & {
  verification?: { recommended: Block } | undefined
}

/**
 * The block of n layers that a result recommends: the one that perplexity chose if blocks of that size were
 * checked, else the one of the smallest distance.
 */
export function recommendBlock({ distances, layersToSkip, verification }: Recommending, n: number): Block {
  if (verification === undefined || n !== layersToSkip) return findBestBlock(distances, n)
  const { start, end } = verification.recommended
  return { start, end }
}

import type { Block } from '../../model/layers/block.js'
import type { EvaluationResult } from './evaluation-result.js'
import type { SimilarityResult } from './similarity-result.js'

/** A block of small distance with its perplexity. */
export interface VerifiedBlock extends Block {
  distance: number
  /** By distance among all blocks of its size, 1 for the smallest. */
  distanceRank: number
  /** Perplexity of the model without the block; null if it is not finite. */
  perplexity: number | null
  /** Standard error of the perplexity, over texts. */
  standardError: number | null
  /** By perplexity among those verified, 1 for the lowest. */
  perplexityRank: number
}

/** Blocks of the smallest distances, checked by perplexity on texts that the distances were not measured on. */
export interface Verification {
  dataset: Pick<
    EvaluationResult['dataset'],
    'id' | 'column' | 'skippedTexts' | 'leftOut' | 'end' | 'hashes' | 'texts' | 'scoredTokens'
  >
  settings: EvaluationResult['settings']
  /** Perplexity of the whole model. */
  perplexity: number
  /** By distance. */
  blocks: VerifiedBlock[]
  /** The block of the lowest perplexity. */
  recommended: VerifiedBlock
}

/** What `similarity` writes, with the verification if one was asked for. */
export type ReportedResult = SimilarityResult & { verification?: Verification }

import { LayerpruneError } from '../../base/errors.js'
import { formatQuantity } from '../../base/format-numbers.js'
import type { Block } from '../../model/layers/block.js'
import type { EvaluationResult } from '../../results/documents/evaluation-result.js'
import { findNearestBlocks } from '../../results/documents/result-views.js'
import type { Verification, VerifiedBlock } from '../../results/documents/verification.js'
import { evaluatePerplexity } from '../evaluate/perplexity.js'
import type { RunOptions } from '../run/run-options.js'
import type { ResumeOptions } from '../run/saved-work.js'

export interface VerificationOptions extends Omit<RunOptions, 'datasetSize'>, ResumeOptions {
  /** `distances[n][l]` of a result. */
  distances: Record<string, number[]>
  /** Size n of the blocks. */
  layersToSkip: number
  /** Number of nearest blocks to check. */
  verify: number
  /** Texts that the blocks are checked on. */
  verifySize: number
  /** Texts before those, at the start of the dataset, that the distances were measured on. */
  datasetSkip: number
}

/**
 * Checks the blocks of the smallest distances by perplexity, on the texts that follow those of the distances.
 * @throws LayerpruneError if no block leaves a finite perplexity; and as `evaluatePerplexity`
 */
export async function verifyBlocks(options: VerificationOptions): Promise<Verification> {
  const { distances, layersToSkip, verify, verifySize } = options
  const nearest = findNearestBlocks(distances, layersToSkip, verify)
  const result = await evaluatePerplexity({
    ...options,
    datasetSize: verifySize,
    candidates: nearest.map(({ start, end }) => [{ start, end }]),
  })
  const blocks = rankBlocks(nearest, result.candidates)
  const { id, column, skippedTexts, leftOut, end, hashes, texts, scoredTokens } = result.dataset
  return {
    dataset: { id, column, skippedTexts, ...(leftOut && { leftOut }), ...{ end, hashes }, texts, scoredTokens },
    settings: result.settings,
    perplexity: result.perplexity,
    blocks,
    recommended: recommendBlock(blocks),
  }
}

/** @param nearest blocks by distance, each with its figures at the same place of `candidates` */
export function rankBlocks(
  nearest: (Block & { distance: number })[],
  candidates: EvaluationResult['candidates'],
): VerifiedBlock[] {
  const perplexities = candidates.map(({ perplexity }) => perplexity ?? Infinity)
  return nearest.map((block, index) => {
    const candidate = candidates[index]!
    return {
      ...block,
      distanceRank: index + 1,
      perplexity: candidate.perplexity,
      standardError: candidate.perplexity === null ? null : candidate.standardError,
      perplexityRank: 1 + perplexities.filter((other, place) => isLower(other, place, perplexities, index)).length,
    }
  })
}

/** The block of the lowest perplexity; throws LayerpruneError if none has a finite one. */
export function recommendBlock(blocks: VerifiedBlock[]): VerifiedBlock {
  const recommended = blocks.find(({ perplexityRank }) => perplexityRank === 1)!
  if (recommended.perplexity !== null) return recommended
  throw new LayerpruneError(
    `none of the ${formatQuantity(blocks.length, 'block')} checked leaves a model of finite perplexity`,
    { hint: 'check more blocks with `verify`; if half precision overflows, try `dtype: fp32`' },
  )
}

/** Whether another block ranks lower: by perplexity, and by the smaller distance among equals. */
function isLower(other: number, place: number, perplexities: number[], index: number): boolean {
  const own = perplexities[index]!
  return other < own || (other === own && place < index)
}

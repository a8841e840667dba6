import { formatCount, formatQuantity } from '../../base/format-numbers.js'
import { describeLayers } from '../../model/layers/names.js'
import type { SimilarityResult } from '../../results/documents/similarity-result.js'
import type { Verification, VerifiedBlock } from '../../results/documents/verification.js'
import {
  isLowestRow,
  listVerificationRows,
  VERIFICATION_COLUMNS,
} from '../../results/documents/verification-columns.js'
import { paint } from './color.js'
import { formatRows } from './table.js'

/** Blocks with their ranks by distance and by perplexity, the lowest marked; `whole` is the model's perplexity. */
export function formatVerification(blocks: VerifiedBlock[], whole: number, { color = false } = {}): string {
  const rows = [{ removed: [], perplexity: whole, block: null }, ...listVerificationRows(blocks)]
  return formatRows(VERIFICATION_COLUMNS, rows, { color, isMarked: isLowestRow })
}

export function formatVerifiedSummary(
  { model }: Pick<SimilarityResult, 'model'>,
  { blocks, perplexity, recommended, dataset }: Verification,
  { color = false } = {},
): string {
  const texts = formatQuantity(dataset.texts, 'text')
  const which = recommended.distanceRank === 1 ? 'the nearest block' : 'another block than the nearest'
  return [
    `Perplexity over the ${texts} after the first ${formatCount(dataset.skippedTexts)}, which the distances do not use:`,
    '',
    formatVerification(blocks, perplexity, { color }),
    '',
    paint('bold', `Perplexity recommends ${which}: remove ${describeLayers(model.layers, [recommended])}.`, color),
  ].join('\n')
}

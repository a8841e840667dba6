import { formatCount, formatDistance, formatPerplexity, formatQuantity } from '../../base/format-numbers.js'
import { describeLayers, formatLayers } from '../../model/layers/names.js'
import type { SimilarityResult } from '../../results/documents/similarity-result.js'
import type { Verification, VerifiedBlock } from '../../results/documents/verification.js'
import { paint } from './color.js'
import { formatTable } from './table.js'

/**
 * Blocks with their ranks by distance and by perplexity side by side, the one with the lowest perplexity marked.
 * @param whole  perplexity of the whole model
 */
export function formatVerification(blocks: VerifiedBlock[], whole: number, { color = false } = {}): string {
  const table = formatTable(
    [
      { title: 'layers removed', align: 'left' },
      { title: 'distance', align: 'right' },
      { title: 'rank', align: 'right' },
      { title: 'perplexity', align: 'right' },
      { title: '± std err', align: 'right' },
      { title: 'rank', align: 'right' },
      { title: '', align: 'left' },
    ],
    [
      ['none', '', '', formatPerplexity(whole), '', '', ''],
      ...blocks.map((block) => [
        formatLayers(block),
        formatDistance(block.distance),
        `${block.distanceRank}`,
        block.perplexity === null ? 'not finite' : formatPerplexity(block.perplexity),
        block.standardError === null ? '' : formatPerplexity(block.standardError),
        `${block.perplexityRank}`,
        block.perplexityRank === 1 ? '<- recommended' : '',
      ]),
    ],
  )
  const recommended = 3 + blocks.findIndex(({ perplexityRank }) => perplexityRank === 1)
  return table
    .split('\n')
    .map((line, index) => (index === recommended ? paint('green', line, color) : line))
    .join('\n')
}

/** What perplexity says of the nearest blocks of a result, and which it recommends. */
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
    paint(
      'bold',
      `Perplexity recommends ${which}: remove ${describeLayers(model.layers, [recommended])}.`,
      color,
    ),
  ].join('\n')
}

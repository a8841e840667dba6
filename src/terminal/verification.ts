import { formatDistance, formatPerplexity } from '../format-numbers.js'
import { formatLayers } from '../layer-names.js'
import type { VerifiedBlock } from '../strategies/verify-blocks.js'
import { paint } from './color.js'
import { formatTable } from './table.js'

/**
 * Blocks with their ranks by distance and by perplexity side by side, the one of the lowest perplexity marked.
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

import { formatDistance, formatPerplexity } from '../../base/format-numbers.js'
import type { Block } from '../../model/layers/block.js'
import { formatRemoved } from '../../model/layers/names.js'
import type { TableColumn } from './table-column.js'
import type { VerifiedBlock } from './verification.js'

/** The whole model, of which only the perplexity is known, or a block. */
export interface VerificationRow extends Pick<VerifiedBlock, 'perplexity'> {
  /** Empty for the whole model. */
  removed: Block[]
  block: VerifiedBlock | null
}

export function listVerificationRows(blocks: VerifiedBlock[]): VerificationRow[] {
  return blocks.map((block) => ({ removed: [block], perplexity: block.perplexity, block }))
}

/** The columns of blocks checked by perplexity: their ranks by distance and by perplexity are side by side. */
export const VERIFICATION_COLUMNS: TableColumn<VerificationRow>[] = [
  {
    ...{ title: 'layers removed', align: 'left', from: 0, page: { title: 'layers' } },
    cell: ({ removed }) => formatRemoved(removed),
  },
  {
    ...{ title: 'distance', align: 'right', from: 0, page: {} },
    cell: ({ block }) => (block === null ? '' : formatDistance(block.distance)),
  },
  {
    ...{ title: 'rank', align: 'right', from: 0, page: {} },
    cell: ({ block }) => `${block?.distanceRank ?? ''}`,
  },
  {
    ...{ title: 'perplexity', align: 'right', from: 0, page: {} },
    cell: ({ perplexity }) => (perplexity === null ? 'not finite' : formatPerplexity(perplexity)),
  },
  {
    ...{ title: '± std err', align: 'right', from: 0, page: {} },
    cell: ({ block }) => (typeof block?.standardError === 'number' ? formatPerplexity(block.standardError) : ''),
  },
  {
    ...{ title: 'rank', align: 'right', from: 0, page: {} },
    cell: ({ block }) => `${block?.perplexityRank ?? ''}`,
  },
  {
    ...{ title: '', align: 'left', from: 0 },
    cell: (row) => (isLowestRow(row) ? '<- recommended' : ''),
  },
]

/** Whether a row is the block of the lowest perplexity. */
export function isLowestRow({ block }: VerificationRow): boolean {
  return block?.perplexityRank === 1
}

import { formatDistance } from '../../base/format-numbers.js'
import type { Block } from '../../model/layers/block.js'
import { formatLayers } from '../../model/layers/names.js'
import type { Metric } from '../../results/documents/metrics.js'
import type { ScoredBlock } from '../../results/documents/similarity-result.js'
import type { TableColumn } from '../../results/documents/table-column.js'
import { paint } from './color.js'
import { displayWidth } from './display-width.js'

export type Column = Pick<TableColumn<never>, 'title' | 'align'>

/** An aligned table in Markdown, to paste into a GitHub issue; a cell per column, no final newline. */
export function formatTable(columns: Column[], rows: string[][]): string {
  const cells = [columns.map(({ title }) => title), ...rows].map((row) => row.map(escapeCell))
  const widths = columns.map((_, i) => Math.max(3, ...cells.map((row) => displayWidth(row[i]!))))
  const lines = cells.map((row) => joinCells(row.map((cell, i) => pad(cell, widths[i]!, columns[i]!.align))))
  const rule = joinCells(
    columns.map(({ align }, i) => (align === 'right' ? `${'-'.repeat(widths[i]! - 1)}:` : '-'.repeat(widths[i]!))),
  )
  return [lines[0], rule, ...lines.slice(1)].join('\n')
}

interface RowOptions<Row> {
  /** Columns of the window. */
  width?: number
  color?: boolean
  /** Marked rows are green. */
  isMarked?: (row: Row) => boolean
}

/** A table of the columns that fit the window. */
export function formatRows<Row>(
  columns: TableColumn<Row>[],
  rows: Row[],
  { width = 80, color = false, isMarked = () => false }: RowOptions<Row> = {},
): string {
  const shown = columns.filter(({ from }) => from !== undefined && width >= from)
  const [title, rule, ...lines] = formatTable(
    shown,
    rows.map((row) => shown.map(({ cell }) => cell(row))),
  ).split('\n')
  const painted = lines.map((line, i) => (isMarked(rows[i]!) ? paint('green', line, color) : line))
  return [title, rule, ...painted].join('\n')
}

/** Distances of the same blocks by one more metric. */
export interface MetricColumn {
  metric: Metric
  distances: number[]
  best: Block
}

/**
 * Table of blocks by start, the nearest marked: `[start, end)`, the layers removed, the distance and its standard
 * error if known. In a narrow window columns are omitted, first those that the others imply.
 * @param width   columns of the window
 * @param metric  what the distances are by, named if there are `others`, whose smallest have an asterisk
 */
export function formatBlockTable(
  blocks: ScoredBlock[],
  best: Block,
  { width = 80, color = false, metric = 'angular' as Metric, others = [] as MetricColumn[] } = {},
): string {
  const isBest = ({ start, end }: Block) => start === best.start && end === best.end
  const hasError = blocks.some(({ standardError }) => standardError !== null)
  const added = others.map(
    ({ metric, distances, best }): TableColumn<ScoredBlock> => ({
      ...{ title: metric, align: 'right', from: 0 },
      cell: ({ start }) => `${start === best.start ? '* ' : ''}${formatDistance(distances[start]!)}`,
    }),
  )
  const wider = width - others.reduce((sum, { metric }) => sum + Math.max(8, metric.length) + 3, 0)
  const columns: TableColumn<ScoredBlock>[] = [
    { title: 'start', align: 'right', from: 48, cell: ({ start }) => `${start}` },
    { title: 'end', align: 'right', from: 48, cell: ({ end }) => `${end}` },
    { title: 'layers removed', align: 'right', from: 0, cell: formatLayers },
    {
      ...{ title: others.length > 0 ? metric : 'distance', align: 'right', from: 0 },
      cell: ({ distance }) => formatDistance(distance),
    },
    {
      ...{ title: '± std err', align: 'right', from: hasError ? 64 : undefined },
      cell: ({ standardError }) => (standardError === null ? '' : formatDistance(standardError)),
    },
    ...added,
    { title: '', align: 'left', from: 0, cell: (block) => (isBest(block) ? 'nearest' : '') },
  ]
  return formatRows(columns, blocks, { width: wider, color, isMarked: isBest })
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replace(/\s+/g, ' ')
}

function pad(text: string, width: number, align: Column['align']): string {
  const blank = ' '.repeat(width - displayWidth(text))
  return align === 'right' ? blank + text : text + blank
}

function joinCells(cells: string[]): string {
  return `| ${cells.join(' | ')} |`
}

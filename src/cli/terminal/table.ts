import { formatDistance } from '../../base/format-numbers.js'
import type { Block } from '../../model/layers/block.js'
import { formatLayers } from '../../model/layers/names.js'
import type { Metric } from '../../results/documents/metrics.js'
import type { ScoredBlock } from '../../results/documents/similarity-result.js'
import { paint } from './color.js'
import { displayWidth } from './display-width.js'

export interface Column {
  title: string
  align: 'left' | 'right'
}

interface BlockColumn {
  column: Column
  cell: (block: ScoredBlock) => string
  /** Columns that the window must have for it to be shown. */
  from: number
}

/**
 * An aligned table in Markdown, so that it stays one when pasted into a GitHub issue.
 * @param rows  one cell per column
 * @returns lines without a final newline
 */
export function formatTable(columns: Column[], rows: string[][]): string {
  const cells = [columns.map(({ title }) => title), ...rows].map((row) => row.map(escapeCell))
  const widths = columns.map((_, i) => Math.max(3, ...cells.map((row) => displayWidth(row[i]!))))
  const lines = cells.map((row) => joinCells(row.map((cell, i) => pad(cell, widths[i]!, columns[i]!.align))))
  const rule = joinCells(
    columns.map(({ align }, i) =>
      align === 'right' ? `${'-'.repeat(widths[i]! - 1)}:` : '-'.repeat(widths[i]!),
    ),
  )
  return [lines[0], rule, ...lines.slice(1)].join('\n')
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
    ({ metric, distances, best }): BlockColumn => ({
      column: { title: metric, align: 'right' },
      cell: ({ start }) => `${start === best.start ? '* ' : ''}${formatDistance(distances[start]!)}`,
      from: 0,
    }),
  )
  const wider = width - others.reduce((sum, { metric }) => sum + Math.max(8, metric.length) + 3, 0)
  const columns: BlockColumn[] = [
    { column: { title: 'start', align: 'right' }, cell: ({ start }) => `${start}`, from: 48 },
    { column: { title: 'end', align: 'right' }, cell: ({ end }) => `${end}`, from: 48 },
    { column: { title: 'layers removed', align: 'right' }, cell: formatLayers, from: 0 },
    {
      column: { title: others.length > 0 ? metric : 'distance', align: 'right' },
      cell: ({ distance }) => formatDistance(distance),
      from: 0,
    },
    {
      column: { title: '± std err', align: 'right' },
      cell: ({ standardError }) => (standardError === null ? '' : formatDistance(standardError)),
      from: hasError ? 64 : Number.POSITIVE_INFINITY,
    },
    ...added,
    { column: { title: '', align: 'left' }, cell: (block) => (isBest(block) ? 'nearest' : ''), from: 0 },
  ]
  const shown = columns.filter(({ from }) => wider >= from)
  const table = formatTable(
    shown.map(({ column }) => column),
    blocks.map((block) => shown.map(({ cell }) => cell(block))),
  )
  const bestLine = 2 + blocks.findIndex(isBest)
  return table
    .split('\n')
    .map((line, i) => (i === bestLine ? paint('green', line, color) : line))
    .join('\n')
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

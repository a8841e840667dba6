import { formatCount, formatQuantity, formatSize } from '../../base/format-numbers.js'
import { describeLayers } from '../../model/layers/names.js'
import type { PruneResult, WholeAndPruned } from '../../results/documents/prune-result.js'

/** What was pruned: the layers removed, the files with their sizes, the folder as the user named it, the gains. */
export function formatPruned(result: PruneResult, output: string): string {
  const { plan, layers, files, sizeBytes, dryRun } = result
  const sizes = files.map((file) => formatSize(file.sizeBytes))
  const written = `${formatQuantity(files.length, 'file')}, ${formatSize(sizeBytes)}`
  return [
    `${plan.model.id} without ${describeLayers(plan.model.layers, plan.removed)}: ${formatQuantity(layers, 'layer')}`,
    ...alignRows(
      files.map(({ name }, index) => [name, sizes[index]!]),
      ['left', 'right'],
    ),
    dryRun ? `Would write ${written} to ${output}.` : `Wrote ${written} to ${output}.`,
    '',
    ...alignRows([['', 'whole', 'pruned', ''], ...describeGains(result)], ['left', 'right', 'right', 'left']),
  ].join('\n')
}

function describeGains({ parameters, bytes, tokensPerSecond }: PruneResult): string[][] {
  const row = (name: string, { whole, pruned }: WholeAndPruned, format: (value: number) => string) => [
    ...[name, format(whole), format(pruned)],
    formatChange(pruned / whole),
  ]
  return [
    ...(parameters === null ? [] : [row('parameters', parameters, formatCount)]),
    row('weights', bytes, formatSize),
    ...(tokensPerSecond ? [row(`tokens/s*`, tokensPerSecond, (rate) => formatCount(Math.round(rate)))] : []),
    ...(tokensPerSecond ? [[`* reading a text of ${tokensPerSecond.tokens} tokens, measured here`]] : []),
  ]
}

/** `-21 %`, `+31 %`. */
function formatChange(ratio: number): string {
  const percent = Math.round(100 * (ratio - 1))
  return `${percent > 0 ? '+' : ''}${percent} %`
}

/** Rows of cells in columns; a row of a single cell takes any width. */
export function alignRows(rows: string[][], align: ('left' | 'right')[]): string[] {
  const widths = align.map((_, column) =>
    Math.max(0, ...rows.filter((row) => row.length > 1).map((row) => row[column]!.length)),
  )
  return rows.map((row) =>
    row.length === 1
      ? `  ${row[0]}`
      : `  ${row.map((cell, column) => (align[column] === 'right' ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!))).join('  ')}`.trimEnd(),
  )
}

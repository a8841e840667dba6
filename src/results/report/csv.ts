import type { ScoredBlock } from '../documents/similarity-result.js'
import { listSweepRows, type SweepRow } from '../documents/sweep-columns.js'
import type { SweepResult } from '../documents/sweep-result.js'

/** PruneMe's `layer_distances.csv`: `block_start,block_end,average_distance`, end exclusive, full precision. */
export function formatDistancesCsv(blocks: ScoredBlock[]): string {
  const rows = blocks.map(({ start, end, distance }) => `${start},${end},${distance}`)
  return `${['block_start,block_end,average_distance', ...rows].join('\n')}\n`
}

type Cell = string | number | null | undefined

const SWEEP_COLUMNS: [title: string, value: (row: SweepRow) => Cell][] = [
  ['layers_removed', (row) => row.layersToSkip],
  ['removed', (row) => row.removed.map(({ start, end }) => `${start}:${end}`).join(' ')],
  ['strategies', (row) => row.strategies.join(' ')],
  ['distance', (row) => row.distance],
  ['perplexity', (row) => row.perplexity],
  ['perplexity_ratio', (row) => row.ratio],
  ['kl', (row) => row.kl],
  ['agreement', (row) => row.agreement],
  ['repaired_perplexity', (row) => row.repaired],
  ['parameters', (row) => row.parameters],
  ['bytes', (row) => row.bytes],
  ['tokens_per_second', (row) => row.tokensPerSecond],
]

/**
 * A sweep as CSV, the whole model first and then a row for each cut. Blocks are half-open with spaces between them, as
 * in `3:4 11:19`; a column of accuracies for each task follows. What was not measured, or is not a finite number, is empty.
 */
export function formatSweepCsv(sweep: SweepResult): string {
  const tasks = Object.keys(sweep.whole.tasks ?? {})
  const columns: typeof SWEEP_COLUMNS = [
    ...SWEEP_COLUMNS,
    ...tasks.map((name): (typeof SWEEP_COLUMNS)[number] => [name, (row) => row.tasks[name]?.acc]),
  ]
  const rows = listSweepRows(sweep).map((row) => columns.map(([, value]) => value(row) ?? ''))
  return `${[columns.map(([title]) => title), ...rows].map((cells) => cells.join(',')).join('\n')}\n`
}

import type { ScoredBlock } from '../documents/similarity-result.js'
import type { SweepResult } from '../documents/sweep-result.js'

/**
 * PruneMe's `layer_distances.csv`: `block_start,block_end,average_distance`, one row per block, end exclusive,
 * distances in full precision.
 */
export function formatDistancesCsv(blocks: ScoredBlock[]): string {
  const rows = blocks.map(({ start, end, distance }) => `${start},${end},${distance}`)
  return `${['block_start,block_end,average_distance', ...rows].join('\n')}\n`
}

const SWEEP_COLUMNS = [
  ...([
    'layers_removed',
    'removed',
    'strategies',
    'distance',
    'perplexity',
    'perplexity_ratio',
    'kl',
  ] as const),
  ...(['agreement', 'repaired_perplexity', 'parameters', 'bytes', 'tokens_per_second'] as const),
]

/**
 * A sweep as CSV, the whole model first and then a row for each cut. Blocks are half-open with spaces between them, as
 * in `3:4 11:19`; a column of accuracies for each task follows. What was not measured, or is not a finite number, is empty.
 */
export function formatSweepCsv({ whole, candidates }: SweepResult): string {
  const tasks = Object.keys(whole.tasks ?? {})
  const rows = candidates.map((cut) => {
    const { kl, agreement } = cut.perplexity === null ? { kl: null, agreement: null } : cut
    return [
      ...[cut.layersToSkip, cut.removed.map(({ start, end }) => `${start}:${end}`).join(' ')],
      ...[cut.strategies.join(' '), cut.distance, cut.perplexity],
      ...[cut.perplexity === null ? null : cut.perplexity / whole.perplexity, kl, agreement],
      ...[cut.repaired?.perplexity, cut.parameters, cut.bytes, cut.tokensPerSecond],
      ...tasks.map((name) => cut.tasks?.[name]?.acc),
    ]
  })
  const first = [
    ...[0, '', '', null, whole.perplexity, 1, 0, 1, null],
    ...[whole.parameters, whole.bytes, whole.tokensPerSecond],
    ...tasks.map((name) => whole.tasks![name]!.acc),
  ]
  const lines = [[...SWEEP_COLUMNS, ...tasks], first, ...rows].map((row) =>
    row.map((cell) => cell ?? '').join(','),
  )
  return `${lines.join('\n')}\n`
}

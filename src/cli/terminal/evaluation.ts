import { formatDistance, formatPerplexity, formatQuantity, formatShare } from '../../base/format-numbers.js'
import { formatLayers } from '../../model/layers/names.js'
import type {
  AgainstFigures,
  CandidateFigures,
  EvaluationResult,
} from '../../results/documents/evaluation-result.js'
import { paint } from './color.js'
import { type Column, formatTable } from './table.js'

/** Columns that a narrow window has no room for come last; those that compare with the whole model need a cut. */
const COLUMNS: { column: Column; from: number; compares?: boolean }[] = [
  { column: { title: 'layers removed', align: 'left' }, from: 0 },
  { column: { title: 'perplexity', align: 'right' }, from: 0 },
  { column: { title: '± std err', align: 'right' }, from: 56 },
  { column: { title: '× whole', align: 'right' }, from: 64, compares: true },
  { column: { title: 'KL', align: 'right' }, from: 72, compares: true },
  { column: { title: 'agreement', align: 'right' }, from: 80, compares: true },
  { column: { title: 'bits/byte', align: 'right' }, from: 96 },
  { column: { title: '', align: 'left' }, from: 0, compares: true },
]

/**
 * The perplexity of the whole model and of each candidate as a table, the lowest candidate marked, and what was
 * scored.
 * @param width  columns of the window
 */
export function formatEvaluation(result: EvaluationResult, { width = 80, color = false } = {}): string {
  if (result.against !== undefined) return formatPair(result, result.against, width)
  const lowest = Math.min(...result.candidates.map(({ perplexity }) => perplexity ?? Infinity))
  const whole = ['none', ...figureCells(result, result.perplexity), '']
  const rows = result.candidates.map((candidate) => [
    candidate.removed.map(formatLayers).join(', '),
    ...(candidate.perplexity === null
      ? ['not finite', '', '', '', '', '']
      : figureCells(candidate, result.perplexity)),
    candidate.perplexity === lowest && result.candidates.length > 1 ? '<- lowest' : '',
  ])
  const hasCuts = result.candidates.length > 0
  const shown = COLUMNS.flatMap(({ from, compares = false }, index) =>
    width >= from && (hasCuts || !compares) ? [index] : [],
  )
  const table = formatTable(
    shown.map((index) => COLUMNS[index]!.column),
    [whole, ...rows].map((row) => shown.map((index) => row[index]!)),
  )
  const best =
    result.candidates.length > 1 ? result.candidates.findIndex(({ perplexity }) => perplexity === lowest) : -1
  return [
    table
      .split('\n')
      .map((line, index) => (best >= 0 && index === best + 3 ? paint('green', line, color) : line))
      .join('\n'),
    '',
    describeProtocol(result),
  ].join('\n')
}

/** Two models on the same texts, the one that is compared with first. */
function formatPair(result: EvaluationResult, against: AgainstFigures, width: number): string {
  const { model, perplexity, standardError, bitsPerByte } = result
  const { excess: _, kl, agreement, ...reference } = against
  const columns = COLUMNS.filter(({ from }) => width >= from).slice(0, -1)
  const shown = columns.map(({ column }) => COLUMNS.findIndex((other) => other.column === column))
  const rows = [
    [against.model.id, ...figureCells(reference, against.perplexity)],
    [model.id, ...figureCells({ perplexity, standardError, bitsPerByte, kl, agreement }, against.perplexity)],
  ]
  const titles = columns.map(({ column }, index) => (index === 0 ? { ...column, title: 'model' } : column))
  const table = formatTable(
    titles.map((column) => (column.title === '× whole' ? { ...column, title: '× first' } : column)),
    rows.map((row) => shown.map((index) => row[index]!)),
  )
  return [table, '', describeProtocol(result)].join('\n')
}

/** `Over 4 texts of at most 256 tokens: 1,020 tokens scored, every token but the first of each text.` */
function describeProtocol({ dataset, settings, shard }: EvaluationResult): string {
  const { texts, scoredTokens, skippedTexts } = dataset
  const after = skippedTexts === 0 ? '' : ` after the first ${formatQuantity(skippedTexts, 'text')}`
  return `Over ${formatQuantity(texts, 'text')}${after} of at most ${settings.maxLength} tokens: ${formatQuantity(scoredTokens, 'token')} scored, ${settings.scored}.${shard === undefined ? '' : `\nSHARD ${shard.index} of ${shard.count}: layerprune merge combines the shards.`}`
}

function figureCells(
  figures: Pick<EvaluationResult, 'perplexity' | 'standardError' | 'bitsPerByte'> & Partial<Nearness>,
  whole: number,
): string[] {
  const { perplexity, standardError, bitsPerByte, kl, agreement } = figures
  return [
    formatPerplexity(perplexity),
    standardError === null ? '' : formatPerplexity(standardError),
    formatPerplexity(perplexity / whole),
    kl === undefined || kl === null ? '' : formatDistance(kl),
    agreement === undefined ? '' : formatShare(agreement),
    bitsPerByte.toFixed(4),
  ]
}

type Nearness = Pick<CandidateFigures, 'kl' | 'agreement'>

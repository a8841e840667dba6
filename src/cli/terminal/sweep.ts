import {
  formatAccuracy,
  formatDistance,
  formatList,
  formatPerplexity,
  formatQuantity,
  formatShare,
  formatSize,
  formatSpeed,
} from '../../base/format-numbers.js'
import { HOPELESS_RATIO } from '../../jobs/sweep/measure-cuts.js'
import { describeLayers, formatLayers } from '../../model/layers/names.js'
import type { SweepCandidate, SweepResult } from '../../results/documents/sweep-result.js'
import { paint } from './color.js'
import { type Column, formatTable } from './table.js'

interface SweepColumn {
  column: Column
  cell: (cut: SweepCandidate) => string
  whole: string
  /** Columns that the window must have for it to be shown. */
  from: number
}

/**
 * What every cut costs and gains as a table, by size, the recommended one marked; on which texts; and which cut holds
 * to the limits.
 * @param width  columns of the window
 */
export function formatSweep(result: SweepResult, { width = 80, color = false } = {}): string {
  const { candidates, recommended } = result
  const columns = listColumns(result).filter(({ from }) => width >= from)
  const table = formatTable(
    columns.map(({ column }) => column),
    [columns.map(({ whole }) => whole), ...candidates.map((cut) => columns.map(({ cell }) => cell(cut)))],
  )
  const marked = recommended === null ? -1 : 3 + candidates.findIndex((cut) => isRecommended(cut, result))
  return [
    table
      .split('\n')
      .map((line, index) => (index === marked ? paint('green', line, color) : line))
      .join('\n'),
    '',
    describeTexts(result),
    ...describeStopped(result),
    ...describeLimits(result),
  ].join('\n')
}

const NEVER = Number.POSITIVE_INFINITY

const left = (title: string): Column => ({ title, align: 'left' })
const right = (title: string): Column => ({ title, align: 'right' })

function listColumns(result: SweepResult): SweepColumn[] {
  return [...listChoice(result), ...listLosses(result), ...listAccuracies(result), ...listGains(result)]
}

/** What is removed, and by which strategy. */
function listChoice({ strategies, candidates }: SweepResult): SweepColumn[] {
  return [
    { column: right('n'), cell: (cut) => `${cut.layersToSkip}`, whole: '0', from: 60 },
    {
      column: left('layers removed'),
      cell: ({ removed }) => removed.map(formatLayers).join(', '),
      whole: 'none',
      from: 0,
    },
    {
      column: left('strategy'),
      cell: (cut) => cut.strategies.join(', '),
      whole: '',
      from: strategies.length > 1 ? 100 : NEVER,
    },
    {
      column: right('distance'),
      cell: ({ distance }) => (distance === null ? '' : formatDistance(distance)),
      whole: '',
      from: candidates.some(({ distance }) => distance !== null) ? 140 : NEVER,
    },
  ]
}

/** What it costs in next-token predictions. */
function listLosses({ whole, candidates, dataset }: SweepResult): SweepColumn[] {
  const isRepaired = candidates.some(({ repaired }) => repaired !== undefined)
  const ratio = (perplexity: number | null) =>
    perplexity === null ? '' : formatPerplexity(perplexity / whole.perplexity)
  return [
    {
      column: right('perplexity'),
      cell: ({ perplexity, texts }) =>
        perplexity === null
          ? 'not finite'
          : `${texts < dataset.texts ? '~' : ''}${formatPerplexity(perplexity)}`,
      whole: formatPerplexity(whole.perplexity),
      from: 0,
    },
    { column: right('× whole'), cell: ({ perplexity }) => ratio(perplexity), whole: '1.00', from: 0 },
    {
      column: right('repaired'),
      cell: ({ repaired }) => ratio(repaired?.perplexity ?? null),
      whole: '',
      from: isRepaired ? 0 : NEVER,
    },
    {
      column: right('KL'),
      cell: (cut) => (cut.perplexity === null || cut.kl === null ? '' : formatDistance(cut.kl)),
      whole: '',
      from: 88,
    },
    {
      column: right('agreement'),
      cell: (cut) => (cut.perplexity === null ? '' : formatShare(cut.agreement)),
      whole: '',
      from: 124,
    },
  ]
}

function listAccuracies({ whole }: SweepResult): SweepColumn[] {
  return Object.entries(whole.tasks ?? {}).map(([name, { acc }]) => ({
    column: right(name),
    cell: ({ tasks }) => formatAccuracy(tasks?.[name]?.acc),
    whole: formatAccuracy(acc),
    from: 0,
  }))
}

/** What it gains in size and speed, and whether it is recommended. */
function listGains(result: SweepResult): SweepColumn[] {
  const { whole, recommended } = result
  return [
    {
      column: right('size'),
      cell: ({ bytes }) => formatSize(bytes),
      whole: formatSize(whole.bytes),
      from: 0,
    },
    {
      column: right('tokens/s'),
      cell: (cut) => formatSpeed(cut.tokensPerSecond),
      whole: formatSpeed(whole.tokensPerSecond),
      from: 72,
    },
    {
      column: left(''),
      cell: (cut) => (isRecommended(cut, result) ? '<- recommended' : ''),
      whole: '',
      from: recommended === null ? NEVER : 0,
    },
  ]
}

function isRecommended({ removed }: SweepCandidate, { recommended }: SweepResult): boolean {
  return recommended !== null && JSON.stringify(removed) === JSON.stringify(recommended.removed)
}

/** `Chosen on the first 32 texts, measured on the next 32 of at most 256 tokens: 8,160 tokens scored.` */
function describeTexts({ dataset, settings }: SweepResult): string {
  return `Chosen on the first ${formatQuantity(dataset.skippedTexts, 'text')}, measured on the next ${dataset.texts} of at most ${settings.maxLength} tokens: ${formatQuantity(dataset.scoredTokens, 'token')} scored.`
}

function describeStopped({ candidates, dataset }: SweepResult): string[] {
  const stopped = candidates.filter(({ texts }) => texts < dataset.texts)
  if (stopped.length === 0) return []
  const count = formatQuantity(stopped.length, 'cut')
  return [
    `~ over ${HOPELESS_RATIO} times the perplexity of the whole model on the first ${formatQuantity(stopped[0]!.texts, 'text')}, and measured no further (${count}); --full measures all.`,
  ]
}

function describeLimits({ model, limits, recommended, candidates }: SweepResult): string[] {
  const { maxPerplexityRatio, maxSize, minTask = {} } = limits
  const stated = formatList([
    ...(maxPerplexityRatio === undefined
      ? []
      : [`at most ${maxPerplexityRatio} times the perplexity of the whole model`]),
    ...(maxSize === undefined ? [] : [`at most ${formatSize(maxSize)}`]),
    ...Object.entries(minTask).map(
      ([name, least]) => `an accuracy of at least ${formatShare(least)} on ${name}`,
    ),
  ])
  if (stated === '') return []
  if (recommended === null) return [`None of the ${formatQuantity(candidates.length, 'cut')} has ${stated}.`]
  const isOfSize = maxPerplexityRatio === undefined && limits.minTask === undefined
  const which = isOfSize ? 'The cut of the lowest perplexity' : 'The largest cut'
  return [
    `${which} with ${stated}: remove ${describeLayers(model.layers, recommended.removed)}, by ${formatList(recommended.strategies)}.`,
  ]
}

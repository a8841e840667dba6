import { formatAccuracy, formatList, formatQuantity, formatSize } from '../../base/format-numbers.js'
import { HOPELESS_RATIO } from '../../jobs/sweep/measure-cuts.js'
import { describeLayers } from '../../model/layers/names.js'
import { listSweepColumns, listSweepRows } from '../../results/documents/sweep-columns.js'
import type { SweepResult } from '../../results/documents/sweep-result.js'
import { formatRows } from './table.js'

/** What every cut costs and gains as a table for `width` columns, by size, and which cut holds to the limits. */
export function formatSweep(result: SweepResult, { width = 80, color = false } = {}): string {
  const table = formatRows(listSweepColumns(result), listSweepRows(result), {
    width,
    color,
    isMarked: ({ isRecommended }) => isRecommended,
  })
  return [table, '', describeTexts(result), ...describeStopped(result), ...describeLimits(result)].join('\n')
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
    ...Object.entries(minTask).map(([name, least]) => `an accuracy of at least ${formatAccuracy(least)} on ${name}`),
  ])
  if (stated === '') return []
  if (recommended === null) return [`None of the ${formatQuantity(candidates.length, 'cut')} has ${stated}.`]
  const isOfSize = maxPerplexityRatio === undefined && limits.minTask === undefined
  const which = isOfSize ? 'The cut of the lowest perplexity' : 'The largest cut'
  return [
    `${which} with ${stated}: remove ${describeLayers(model.layers, recommended.removed)}, by ${formatList(recommended.strategies)}.`,
  ]
}

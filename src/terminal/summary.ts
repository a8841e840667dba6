import { formatCount, formatDistance, formatEstimate, formatQuantity } from '../format-numbers.js'
import { describeLayers, nameLayers } from '../layer-names.js'
import type { ScoredBlock, SimilarityResult } from '../similarity/result.js'
import { describeTokens } from '../similarity/token-selection.js'
import { drawChart } from './chart.js'
import { paint } from './color.js'
import { formatBlockTable } from './table.js'

/**
 * The whole report of a similarity run for a person: what was measured, the table of blocks, the chart, how far
 * the second best block is, and a closing sentence that says which layers go.
 * @param width  columns of the window
 */
export function formatSummary(result: SimilarityResult, { width = 80, color = false } = {}): string {
  const { blocks, best } = result
  return [
    formatHeading(result),
    '',
    formatBlockTable(blocks, best, { width, color }),
    '',
    drawChart(blocks, best, { width, color }),
    '',
    ...describeSecondBest(blocks, best),
    ...(result.partial
      ? [
          paint(
            'yellow',
            `PARTIAL: interrupted after ${formatQuantity(result.dataset.samples, 'text')}.`,
            color,
          ),
        ]
      : []),
    paint('bold', formatConclusion(result), color),
  ].join('\n')
}

/** `Remove layers 21..28 (0-based, 8 of 32): angular distance 0.1876 ± 0.0009 over 128 texts.` */
export function formatConclusion({ model, dataset, best }: SimilarityResult): string {
  const estimate = formatEstimate(best.distance, best.standardError)
  const texts = formatQuantity(dataset.samples, 'text')
  return `Remove ${describeLayers(model.layers, [best])}: angular distance ${estimate} over ${texts}.`
}

function formatHeading({ model, dataset, settings, tokens, layersToSkip }: SimilarityResult): string {
  const { empty, notText } = dataset.skipped
  const skipped = [
    ...(empty > 0 ? [formatQuantity(empty, 'empty row')] : []),
    ...(notText > 0 ? [formatQuantity(notText, 'row without text', 'rows without text')] : []),
  ]
  return [
    `model    ${model.id} (${model.family}, ${formatQuantity(model.layers, 'layer')}, hidden size ` +
      `${formatCount(model.hiddenSize)}), ${model.dtype} from ${model.file}`,
    `dataset  ${dataset.id} (${dataset.column}): ${formatQuantity(dataset.samples, 'text')}, ` +
      `${formatQuantity(dataset.tokens, 'token')}, at most ${formatCount(settings.maxLength)} a text` +
      `${skipped.length > 0 ? `; skipped ${skipped.join(' and ')}` : ''}`,
    `measure  angular distance across ${formatQuantity(layersToSkip, 'layer')}, ` +
      `${describeTokens(tokens)} of each text`,
  ].join('\n')
}

function describeSecondBest(blocks: ScoredBlock[], best: ScoredBlock): string[] {
  const others = blocks.filter(({ start }) => start !== best.start)
  if (others.length === 0) return []
  const second = others.reduce((a, b) => (b.distance < a.distance ? b : a))
  const gap = second.distance - best.distance
  const text =
    `Second best: ${nameLayers(second)}, ${formatEstimate(second.distance, second.standardError)}, ` +
    `${formatDistance(gap)} more`
  return [
    `${text}${isWithinError(gap, best, second) ? ', within the error: more texts may change the order.' : '.'}`,
  ]
}

/** Two means as of independent samples: the same texts tell blocks apart better than that, so it errs to caution. */
function isWithinError(gap: number, a: ScoredBlock, b: ScoredBlock): boolean {
  if (a.standardError === null || b.standardError === null) return false
  return gap < 1.96 * Math.hypot(a.standardError, b.standardError)
}

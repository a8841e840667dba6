import { formatCount, formatEstimate, formatQuantity } from '../format-numbers.js'
import { describeLayers } from '../layer-names.js'
import type { SimilarityResult } from '../similarity/result.js'
import { describeTokens } from '../similarity/token-selection.js'
import { describeCertainty } from './certainty.js'
import { drawChart } from './chart.js'
import { paint } from './color.js'
import { formatBlockTable } from './table.js'

/**
 * The whole report of a similarity run for a person: what was measured, the table of blocks, the chart, how far
 * the second best block is and how sure that is, and a closing sentence that says which layers go.
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
    ...describeCertainty(result),
    ...(result.partial
      ? [
          paint(
            'yellow',
            `PARTIAL: interrupted after ${formatQuantity(result.dataset.samples, 'text')}.`,
            color,
          ),
        ]
      : []),
    ...(result.shard
      ? [
          paint(
            'yellow',
            `SHARD ${result.shard.index} of ${result.shard.count}: layerprune merge adds the shards up.`,
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

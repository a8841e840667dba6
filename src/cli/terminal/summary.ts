import {
  formatCount,
  formatDistance,
  formatEstimate,
  formatFoundConfidence,
  formatList,
  formatQuantity,
} from '../../base/format-numbers.js'
import { describeHalfLayers } from '../../model/families/find-facts.js'
import type { Block } from '../../model/layers/block.js'
import { describeLayers, formatLayers, nameLayers } from '../../model/layers/names.js'
import { describeMetric, type Metric } from '../../results/documents/metrics.js'
import { findCertainty } from '../../results/documents/result-views.js'
import type { ScoredBlock, SimilarityResult } from '../../results/documents/similarity-result.js'
import { describeTokens } from '../../texts/tokens/token-selection.js'
import { describeCertainty } from './certainty.js'
import { drawChart } from './chart.js'
import { paint } from './color.js'
import type { drawBlockMap } from './heatmap.js'
import { formatBlockTable, formatTable, type MetricColumn } from './table.js'

interface SummaryOptions {
  width?: number
  color?: boolean
  truecolor?: boolean
  drawMap?: typeof drawBlockMap | undefined
}

/**
 * The whole report of a similarity run: what was measured, the table of blocks, the chart, how far
 * the second nearest block is and how sure that is, and a closing sentence that names the nearest.
 * @param width  columns of the window
 * @param drawMap  shows the blocks of every size too, if it is given
 */
export function formatSummary(
  result: SimilarityResult,
  { width = 80, color = false, truecolor = false, drawMap }: SummaryOptions = {},
): string {
  const { blocks, best, bestBlocks, metric, metrics = {}, layersToSkip } = result
  const others = (Object.keys(metrics) as Metric[]).map((metric): MetricColumn => {
    const { distances, best } = metrics[metric]!
    return { metric, distances: distances[layersToSkip]!, best }
  })
  const map = drawMap ? [drawMap(result, { width, color, truecolor }), ''] : []
  if (bestBlocks !== undefined) {
    return [
      formatHeading(result),
      '',
      ...map,
      formatBestBlocks(result, bestBlocks),
      ...describeParts(result, color),
    ].join('\n')
  }
  return [
    formatHeading(result),
    '',
    ...map,
    formatBlockTable(blocks, best, { width, color, metric, others }),
    ...describeAgreement(metric, best, others),
    '',
    drawChart(blocks, best, { width, color, metric }),
    '',
    ...describeCertainty(result),
    ...describeParts(result, color),
    paint('bold', formatConclusion(result), color),
  ].join('\n')
}

/** Notes if a result covers only some of the texts. */
function describeParts({ partial, shard, dataset }: SimilarityResult, color: boolean): string[] {
  return [
    ...(partial ? [`PARTIAL: interrupted after ${formatQuantity(dataset.samples, 'text')}.`] : []),
    ...(shard ? [`SHARD ${shard.index} of ${shard.count}: layerprune merge combines the shards.`] : []),
  ].map((line) => paint('yellow', line, color))
}

/** The nearest block of every size, and the confidence in it. */
function formatBestBlocks(result: SimilarityResult, bestBlocks: Record<string, ScoredBlock>): string {
  const { metric } = result
  return formatTable(
    [
      { title: 'n', align: 'right' },
      { title: 'nearest block', align: 'right' },
      { title: metric === 'angular' ? 'distance' : metric, align: 'right' },
      { title: '± std err', align: 'right' },
      { title: 'confidence', align: 'right' },
    ],
    Object.entries(bestBlocks).map(([n, block]) => {
      const certainty = findCertainty(result, Number(n))
      return [
        n,
        formatLayers(block),
        formatDistance(block.distance),
        block.standardError === null ? '' : formatDistance(block.standardError),
        certainty === null ? '' : formatFoundConfidence(certainty.confidence),
      ]
    }),
  )
}

/** `Nearest block: layers 21..28 (0-based, 8 of 32), angular distance 0.1876 ± 0.0009 over 128 texts.` */
export function formatConclusion({ model, dataset, metric, tokens, best }: SimilarityResult): string {
  const estimate = formatEstimate(best.distance, best.standardError)
  const compared = tokens === 'last' ? '' : `, ${describeTokens(tokens)} of each`
  const texts = `${formatQuantity(dataset.samples, 'text')}${compared}`
  return `Nearest block: ${describeLayers(model.layers, [best])}, ${describeMetric(metric).title} ${estimate} over ${texts}.`
}

/** Which metrics agree with the first, and the blocks that the others choose. */
function describeAgreement(metric: Metric, best: Block, others: MetricColumn[]): string[] {
  if (others.length === 0) return []
  const chosenBy = new Map<number, MetricColumn[]>([[best.start, []]])
  for (const other of others) {
    chosenBy.set(other.best.start, [...(chosenBy.get(other.best.start) ?? []), other])
  }
  const parts = [...chosenBy.values()]
    .filter((metrics) => metrics.length > 0)
    .map((metrics) => {
      const verb = metrics.length === 1 ? 'chooses' : 'choose'
      const block = metrics[0]!.best
      const what = block.start === best.start ? `${nameLayers(block)} as ${metric} does` : nameLayers(block)
      return `${formatList(metrics.map(({ metric }) => metric))} ${verb} ${what}`
    })
  return ['', `* smallest in its column: ${parts.join('; ')}.`]
}

function formatHeading(result: SimilarityResult): string {
  const { model, dataset, settings, metric, metrics = {}, tokens, layersToSkip, bestBlocks } = result
  const size = bestBlocks ? 'blocks of every size' : formatQuantity(layersToSkip, 'layer')
  const also = Object.keys(metrics)
  const halves = describeHalfLayers(model.family, layersToSkip)

  const { empty, notText } = dataset.skipped
  const skipped = [
    ...(empty > 0 ? [formatQuantity(empty, 'empty row')] : []),
    ...(notText > 0 ? [formatQuantity(notText, 'row without text', 'rows without text')] : []),
  ]
  return [
    `model    ${model.id} (${model.family}, ${formatQuantity(model.layers, 'layer')}, hidden size ` +
      `${formatCount(model.hiddenSize)}), ${model.dtype} from ${model.file}`,
    `dataset  ${dataset.id} (${dataset.column}): ${formatQuantity(dataset.samples, 'text')}, ` +
      `${formatQuantity(dataset.tokens, 'token')}, at most ${formatCount(settings.maxLength)} per text` +
      `${skipped.length > 0 ? `; skipped ${skipped.join(' and ')}` : ''}`,
    `measure  ${describeMetric(metric).title} across ${size}, ` +
      `${describeTokens(tokens)} of each text${also.length > 0 ? `; also ${formatList(also)}` : ''}`,
    ...(halves === undefined ? [] : [`layers   ${halves}`]),
  ].join('\n')
}

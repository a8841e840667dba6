import {
  formatAccuracy,
  formatCount,
  formatDistance,
  formatList,
  formatPerplexity,
  formatQuantity,
  formatShare,
  formatSize,
  formatSpeed,
} from '../../base/format-numbers.js'
import { describeLayers, formatLayers } from '../../model/layers/names.js'
import type { SweepCandidate, SweepResult } from '../documents/sweep-result.js'
import { isSameCut } from './model-story.js'
import { fileName, nameBase, renderFacts, renderFigure, renderStrip } from './page-parts.js'
import { renderSamples } from './page-pruned.js'
import { escapeXml } from './svg.js'
import { drawSweep } from './sweep-svg.js'

/** Columns that a narrow screen has no room for. */
const WIDE = new Set(['', 'chosen by', 'KL', 'agreement', 'tokens/s'])

/** What cuts of every size cost and gain: the curves, and a table with a row for each cut. */
export function renderSweep(sweep: SweepResult, index: number): string {
  const { model, dataset, settings, whole, candidates, recommended, strategies, samples = [] } = sweep
  const id = `sweep-${index + 1}`
  const repaired = isRepaired(sweep) ? ['repaired'] : []
  const predicted = ['perplexity', '× whole', ...repaired, 'KL', 'agreement']
  const tasks = Object.keys(whole.tasks ?? {}).map(escapeXml)
  const titles = ['n', 'removed', '', 'chosen by', ...predicted, ...tasks, 'size', 'tokens/s']
  const heads = titles.map((title) => `<th scope="col"${classOf(title)}>${title}</th>`)
  const rows = [
    renderRow(titles, listWhole(sweep), false),
    ...candidates.map((cut) =>
      renderRow(titles, listCut(cut, sweep), isSameCut(cut.removed, recommended?.removed ?? [])),
    ),
  ]
  return `<section class="sweep" aria-labelledby="${id}-title">
<header class="of"><h3 id="${id}-title">How many layers can go</h3><p>${escapeXml(dataset.id)} · ${formatQuantity(dataset.texts, 'text')}, ${formatCount(dataset.scoredTokens)} tokens scored</p></header>
${recommended === null ? '' : `<div class="verdict checked"><p class="headline">Remove ${describeLayers(model.layers, recommended.removed)}</p>${renderStrip(model.layers, recommended.removed)}</div>`}
${renderFigure(fileName(model.id, `sweep-${index + 1}`), '', drawSweep(sweep))}
<div class="scroll" tabindex="0" role="region" aria-label="Table of cuts"><table><thead><tr>${heads.join('')}</tr></thead>
<tbody>${rows.join('')}</tbody></table></div>
${renderSamples(samples)}<details class="settings"><summary>What was measured</summary>${renderFacts([
    ['strategies', formatList(strategies)],
    ['layers chosen on', formatQuantity(dataset.skippedTexts, 'text')],
    ...nameBase(model),
    ['read from', `${model.file} in ${model.dtype}`],
    ['longest text', formatQuantity(settings.maxLength, 'token')],
    ['~', 'measured on the first texts alone, where the cut lost too much to go on'],
    ['scored', settings.scored],
    ['layerprune', sweep.layerpruneVersion],
  ])}</details>
</section>`
}

function isRepaired({ candidates }: SweepResult): boolean {
  return candidates.some(({ repaired }) => repaired !== undefined)
}

function listWhole(sweep: SweepResult): string[] {
  const { perplexity, bytes, tokensPerSecond, tasks = {} } = sweep.whole
  const empty = isRepaired(sweep) ? ['', '', ''] : ['', '']
  const cells = ['0', 'none', '', '', formatPerplexity(perplexity), '1.00', ...empty]
  const accuracies = Object.values(tasks).map(({ acc }) => formatAccuracy(acc))
  return [...cells, ...accuracies, formatSize(bytes), formatSpeed(tokensPerSecond)]
}

function listCut(cut: SweepCandidate, sweep: SweepResult): string[] {
  const { model, whole, dataset } = sweep
  const ratio = (perplexity: number | null | undefined) =>
    perplexity === null || perplexity === undefined ? '' : formatPerplexity(perplexity / whole.perplexity)
  const repaired = isRepaired(sweep) ? [ratio(cut.repaired?.perplexity)] : []
  const predicted =
    cut.perplexity === null
      ? ['not finite', '', ...repaired, '', '']
      : [
          `${cut.texts < dataset.texts ? '~' : ''}${formatPerplexity(cut.perplexity)}`,
          ratio(cut.perplexity),
          ...repaired,
          cut.kl === null ? '' : formatDistance(cut.kl),
          formatShare(cut.agreement),
        ]
  return [
    `${cut.layersToSkip}`,
    cut.removed.map(formatLayers).join(', '),
    renderStrip(model.layers, cut.removed),
    escapeXml(cut.strategies.join(', ')),
    ...predicted,
    ...Object.keys(whole.tasks ?? {}).map((name) => formatAccuracy(cut.tasks?.[name]?.acc)),
    formatSize(cut.bytes),
    formatSpeed(cut.tokensPerSecond),
  ]
}

function classOf(title: string): string {
  return WIDE.has(title) ? ' class="wide-cell"' : ''
}

function renderRow(titles: string[], cells: string[], isBest: boolean): string {
  const row = cells.map((cell, index) => `<td${classOf(titles[index]!)}>${cell}</td>`)
  return `<tr${isBest ? ' class="best"' : ''}>${row.join('')}</tr>`
}

import { formatCount, formatList, formatQuantity } from '../../base/format-numbers.js'
import { describeLayers } from '../../model/layers/names.js'
import { listSweepColumns, listSweepRows } from '../documents/sweep-columns.js'
import type { SweepResult } from '../documents/sweep-result.js'
import { fileName, nameBase, renderFacts, renderFigure, renderStrip, renderTable } from './page-parts.js'
import { renderSamples } from './page-pruned.js'
import { escapeXml } from './svg.js'
import { drawSweep } from './sweep-svg.js'

/** What cuts of every size cost and gain: the curves, and a table with a row for each cut. */
export function renderSweep(sweep: SweepResult, index: number): string {
  const { model, dataset, settings, recommended, strategies, samples = [] } = sweep
  const id = `sweep-${index + 1}`
  const table = renderTable(listSweepColumns(sweep), listSweepRows(sweep), {
    label: 'Table of cuts',
    layers: model.layers,
    isBest: ({ isRecommended }) => isRecommended,
  })
  return `<section class="sweep" aria-labelledby="${id}-title">
<header class="of"><h3 id="${id}-title">How many layers can go</h3><p>${escapeXml(dataset.id)} · ${formatQuantity(dataset.texts, 'text')}, ${formatCount(dataset.scoredTokens)} tokens scored</p></header>
${recommended === null ? '' : `<div class="verdict checked"><p class="headline">Remove ${describeLayers(model.layers, recommended.removed)}</p>${renderStrip(model.layers, recommended.removed)}</div>`}
${renderFigure(fileName(model.id, `sweep-${index + 1}`), '', drawSweep(sweep))}
${table}
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

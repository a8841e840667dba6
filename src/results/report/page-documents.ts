import { formatCount, formatDistance, formatQuantity } from '../../base/format-numbers.js'
import { nameFlag } from '../../base/name-option.js'
import { formatBlocks, includesLayer } from '../../model/layers/blocks.js'
import { describeLayers } from '../../model/layers/names.js'
import { listEvaluationColumns, listEvaluationRows } from '../documents/evaluation-columns.js'
import type { EvaluationResult } from '../documents/evaluation-result.js'
import { type Plan, rankLayers } from '../documents/plan.js'
import { formatSliceConfig } from '../mergekit.js'
import { formatPruneCommand, optionsOf } from '../next-command.js'
import { fileName, nameBase, renderCopy, renderFacts, renderFigure, renderStrip, renderTable } from './page-parts.js'
import { renderTaskTable } from './page-tasks.js'
import { drawPerplexities } from './perplexity-svg.js'
import type { SliceFacts } from './slice-facts.js'
import { escapeXml } from './svg.js'

/** What the removal of blocks did to the perplexity. */
export function renderEvaluation(evaluation: EvaluationResult, number: number): string {
  const { model, dataset, settings, candidates, tasks } = evaluation
  const id = `evaluation-${number}`
  // the page does not show the model that it is compared with
  const { against: _, ...own } = evaluation
  const table = renderTable(listEvaluationColumns(own), listEvaluationRows(own), {
    label: 'Table of perplexities',
    className: 'perplexities',
    layers: model.layers,
    isBest: ({ isLowest }) => isLowest,
  })
  return `<section class="evaluation" aria-labelledby="${id}-title">
<header class="of"><h3 id="${id}-title">Perplexity</h3><p>${escapeXml(dataset.id)} · ${formatQuantity(dataset.texts, 'text')}, ${formatCount(dataset.scoredTokens)} tokens scored</p></header>
${table}
${candidates.length === 0 ? '' : renderFigure(fileName(model.id, `perplexity-${number}`), '', drawPerplexities(evaluation))}
${tasks === undefined ? '' : renderTaskTable({ model, tasks, candidates: candidates.map(({ removed, tasks = {} }) => ({ removed, tasks })) }, `with-${number}`)}
<details class="settings"><summary>What was measured</summary>${renderFacts([
    ['family', model.family],
    ...nameBase(model),
    ['read from', `${model.file} in ${model.dtype}`],
    ['column', dataset.column],
    ['texts skipped first', dataset.skippedTexts],
    ['longest text', formatQuantity(settings.maxLength, 'token')],
    ['scored', settings.scored],
    ['layerprune', evaluation.layerpruneVersion],
  ])}</details>
</section>`
}

/** The layers that a plan removes, and the slices that do so. */
export function renderPlan(
  plan: Plan,
  number: number,
  { facts, file }: { facts: SliceFacts; file: string | undefined },
): string {
  const { model, strategy, removed, layersToSkip, layerpruneVersion } = plan
  const cut = file === undefined ? [nameFlag('drop'), formatBlocks(removed)] : [nameFlag('from'), file]
  const options = optionsOf({ model, run: plan.run })
  const command = formatPruneCommand({ options, cut, isAdapter: model.base !== undefined })
  const id = `plan-${number}`
  const yaml = formatSliceConfig({
    model: model.id,
    layers: model.layers,
    removed,
    dtype: facts.findStoredDtype(model),
    problem: facts.findProblem(model, removed),
  })
  return `<section class="plan" aria-labelledby="${id}-title">
<header class="of"><h3 id="${id}-title">Plan: remove ${describeLayers(model.layers, removed)}</h3><p>chosen by ${escapeXml(strategy)}</p></header>
${renderStrip(model.layers, removed)}
<div class="rest"><div>${renderCopy('command', 'To make the cut', command)}
<details><summary>mergekit slices</summary>${renderCopy('yaml', 'mergekit YAML', yaml)}</details>${renderInfluence(plan)}</div><div>${renderFacts(
    [
      ['strategy', strategy],
      ['layers removed', layersToSkip],
      ['family', model.family],
      ['layerprune', layerpruneVersion],
    ],
  )}</div></div>
</section>`
}

/** The layers, the one of least influence first, if the plan has a score of each. */
function renderInfluence(plan: Plan): string {
  const rows = rankLayers(plan)?.map(
    ({ layer, influence }) =>
      `<tr${includesLayer(plan.removed, layer) ? ' class="best"' : ''}><td>${layer}</td><td>${formatDistance(influence)}</td></tr>`,
  )
  if (rows === undefined) return ''
  return `<details><summary>Layers by block influence</summary><div class="scroll" tabindex="0" role="region" aria-label="Table of layers by block influence"><table><thead><tr><th scope="col">layer</th><th scope="col">block influence</th></tr></thead><tbody>${rows.join('')}</tbody></table></div></details>`
}

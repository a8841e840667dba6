import type { EvaluationResult } from '../documents/evaluation-result.js'
import type { Plan } from '../documents/plan.js'
import {
  formatCount,
  formatDistance,
  formatEstimate,
  formatPerplexity,
  formatQuantity,
} from '../format-numbers.js'
import { describeLayers, formatLayers } from '../layers/names.js'
import { formatSliceConfig } from '../mergekit.js'
import type { FindProblem } from './cut-problem.js'
import { renderFacts, renderStrip, renderYaml } from './page-parts.js'
import { escapeXml } from './svg.js'

/** What the removal of blocks did to the perplexity. */
export function renderEvaluation(evaluation: EvaluationResult, index: number): string {
  const { model, dataset, settings, candidates, perplexity, standardError, bitsPerByte } = evaluation
  const id = `evaluation-${index + 1}`
  const finite = candidates.flatMap((candidate) =>
    candidate.perplexity === null ? [] : [candidate.perplexity],
  )
  const lowest = Math.min(...finite)
  const rows = candidates.map((candidate) => {
    const layers = candidate.removed.map(formatLayers).join(', ')
    const strip = `<td class="wide-cell">${renderStrip(model.layers, candidate.removed)}</td>`
    if (candidate.perplexity === null)
      return `<tr><td>${layers}</td>${strip}<td>not finite</td><td></td><td></td></tr>`
    return (
      `<tr${candidate.perplexity === lowest ? ' class="best"' : ''}><td>${layers}</td>${strip}<td>${formatFigure(candidate)}</td>` +
      `<td>${formatDistance(candidate.bitsPerByte)}</td><td>${formatEstimate(candidate.excess.difference, candidate.excess.standardError)}</td></tr>`
    )
  })
  return `<section class="evaluation" aria-labelledby="${id}-title">
<header class="of"><h2 id="${id}-title">Perplexity: ${escapeXml(model.id)}</h2><p>${escapeXml(dataset.id)} · ${formatQuantity(dataset.texts, 'text')}, ${formatCount(dataset.scoredTokens)} tokens scored</p></header>
<div class="scroll" tabindex="0" role="region" aria-label="Table of perplexities"><table><thead><tr><th scope="col">removed</th><th scope="col"></th><th scope="col">perplexity</th><th scope="col">bits per byte</th><th scope="col">nats lost per token</th></tr></thead>
<tbody><tr><td>none</td><td></td><td>${formatFigure({ perplexity, standardError })}</td><td>${formatDistance(bitsPerByte)}</td><td></td></tr>${rows.join('')}</tbody></table></div>
<details class="settings"><summary>What was measured</summary>${renderFacts([
    ['family', model.family],
    ['read from', `${model.file} in ${model.dtype}`],
    ['column', dataset.column],
    ['texts skipped first', dataset.skippedTexts],
    ['longest text', formatQuantity(settings.maxLength, 'token')],
    ['scored', settings.scored],
    ['layerprune', evaluation.layerpruneVersion],
  ])}</details>
</section>`
}

function formatFigure({
  perplexity,
  standardError,
}: {
  perplexity: number
  standardError: number | null
}): string {
  const text = formatPerplexity(perplexity)
  return standardError === null ? text : `${text} ± ${formatPerplexity(standardError)}`
}

/** The layers that a plan removes, and the slices that do so. */
export function renderPlan(
  { model, strategy, removed, layersToSkip, layerpruneVersion }: Plan,
  index: number,
  findProblem: FindProblem,
): string {
  const id = `plan-${index + 1}`
  const yaml = formatSliceConfig({
    model: model.id,
    layers: model.layers,
    removed,
    dtype: null,
    problem: findProblem(model, removed),
  })
  return `<section class="plan" aria-labelledby="${id}-title">
<header class="of"><h2 id="${id}-title">Plan: ${escapeXml(model.id)}</h2><p>chosen by ${escapeXml(strategy)}</p></header>
<div class="verdict unknown"><p class="headline">Remove ${describeLayers(model.layers, removed)}</p>
${renderStrip(model.layers, removed)}</div>
<div class="rest"><div><h3>mergekit slices</h3>${renderYaml(yaml)}</div><div>${renderFacts([
    ['strategy', strategy],
    ['layers removed', layersToSkip],
    ['family', model.family],
    ['layerprune', layerpruneVersion],
  ])}</div></div>
</section>`
}

import { formatEstimate, formatQuantity } from '../../base/format-numbers.js'
import { formatLayers, nameLayers } from '../../model/layers/names.js'
import { describeTokens } from '../../texts/tokens/token-selection.js'
import type { ReportedResult } from '../documents/verification.js'
import { plainName } from './model-story.js'
import { renderStrip } from './page-parts.js'
import { escapeXml } from './svg.js'
import type { Checks } from './task-figures.js'
import { reachVerdict } from './verdict.js'

/** Several results side by side: one per line, all models drawn equally wide, so that depths can be compared. */
export function renderComparison(results: ReportedResult[], checksOf: (result: ReportedResult) => Checks): string {
  const rows = results.map((result, index) => {
    const { model, dataset, layersToSkip, distances, standardErrors } = result
    const verdict = reachVerdict(result, layersToSkip, checksOf(result))
    const estimate = formatEstimate(
      distances[layersToSkip]![verdict.start]!,
      standardErrors[layersToSkip]![verdict.start]!,
    )
    return (
      `<tr><th scope="row"><a href="#result-${index + 1}">${escapeXml(plainName(model.id))}</a><small>${escapeXml(dataset.id)}, ` +
      `${formatQuantity(dataset.samples, 'text')}, ${describeTokens(result.tokens)}</small></th>` +
      `<td class="wide-cell">${renderStrip(model.layers, [verdict])}</td><td><b>${formatLayers(verdict)}</b><small>of ${model.layers}</small></td>` +
      `<td class="verdict ${verdict.standing}"><strong class="badge">${verdict.badge}</strong></td><td>${estimate}</td></tr>`
    )
  })
  return `<section class="comparison" aria-labelledby="comparison-title">
<h2 id="comparison-title">${describeAgreement(results)}</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Comparison of results"><table><thead><tr><th scope="col">model, dataset</th><th scope="col" class="wide-cell">layers removed</th><th scope="col">block</th><th scope="col">found</th><th scope="col">distance</th></tr></thead><tbody>${rows.join('\n')}</tbody></table></div>
</section>`
}

function describeAgreement(results: ReportedResult[]): string {
  const blocks = results.map((result) => reachVerdict(result, result.layersToSkip))
  const names = new Set(blocks.map(nameLayers))
  const count = formatQuantity(results.length, 'result')
  const sameDepth = new Set(results.map(({ model }) => model.layers)).size === 1
  if (names.size === 1 && sameDepth) return `All ${count} name ${nameLayers(blocks[0]!)}`
  return `${count} side by side`
}

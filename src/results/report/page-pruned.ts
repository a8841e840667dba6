import { formatCount, formatQuantity, formatSize } from '../../base/format-numbers.js'
import { nameLayers } from '../../model/layers/names.js'
import type { PruneResult, Sample, WholeAndPruned } from '../documents/prune-result.js'
import { renderStrip } from './page-parts.js'
import { escapeXml } from './svg.js'

/** The gains of a pruned model in size and speed, and samples from it and the whole model. */
export function renderPruned(result: PruneResult, number: number): string {
  const { plan, layers, parameters, bytes, tokensPerSecond, samples = [] } = result
  const id = `pruned-${number}`
  const rows = [
    ...(parameters === null ? [] : [renderGain('parameters', parameters, formatCount)]),
    renderGain('weights', bytes, formatSize),
    ...(tokensPerSecond
      ? [
          renderGain(`tokens/s, reading ${tokensPerSecond.tokens} tokens`, tokensPerSecond, (rate) =>
            formatCount(Math.round(rate)),
          ),
        ]
      : []),
  ]
  return `<section class="pruned" aria-labelledby="${id}-title">
<header class="of"><h3 id="${id}-title">Pruned: without ${plan.removed.map(nameLayers).join(', ')}</h3><p>${formatQuantity(layers, 'layer')} left</p></header>
${renderStrip(plan.model.layers, plan.removed)}
<div class="scroll" tabindex="0" role="region" aria-label="Size and speed"><table><thead><tr><th scope="col"></th><th scope="col">whole</th><th scope="col">pruned</th><th scope="col">change</th></tr></thead><tbody>${rows.join('')}</tbody></table></div>
${renderSamples(samples)}</section>`
}

function renderGain(name: string, { whole, pruned }: WholeAndPruned, format: (value: number) => string): string {
  const percent = Math.round(100 * (pruned / whole - 1))
  const cells = [name, format(whole), format(pruned), `${percent > 0 ? '+' : ''}${percent} %`]
  return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`
}

/** What models say after the same beginnings. */
export function renderSamples(samples: Sample[]): string {
  if (samples.length === 0) return ''
  const items = samples.map(
    ({ origin, beginning, whole, pruned }) =>
      `<blockquote><p>${escapeXml(beginning)} … <small>${escapeXml(origin)}</small></p>
<dl><dt>whole</dt><dd>${escapeXml(whole.trim()) || '(nothing)'}</dd><dt>pruned</dt><dd>${escapeXml(pruned.trim()) || '(nothing)'}</dd></dl></blockquote>`,
  )
  return `<h4>What each says next, by the most likely token each time</h4>
${items.join('\n')}
`
}

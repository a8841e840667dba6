import {
  capitalize,
  formatCount,
  formatDistance,
  formatEstimate,
  formatPerplexity,
  formatQuantity,
} from '../../base/format-numbers.js'
import { nameFlag } from '../../base/name-option.js'
import type { Block } from '../../model/layers/block.js'
import { formatBlocks } from '../../model/layers/blocks.js'
import { formatLayers } from '../../model/layers/names.js'
import { describeTokens } from '../../texts/tokens/token-selection.js'
import { describeMetric, listMetrics } from '../documents/metrics.js'
import { findBestBlock, recommendBlock, selectMetric } from '../documents/result-views.js'
import type { ReportedResult, VerifiedBlock } from '../documents/verification.js'
import { isLowestRow, listVerificationRows, VERIFICATION_COLUMNS } from '../documents/verification-columns.js'
import { formatSliceConfig } from '../mergekit.js'
import { formatPruneCommand, optionsOf } from '../next-command.js'
import { drawHeatMap, frameHeatMap } from './heatmap-svg.js'
import {
  fileName,
  nameBase,
  renderCopy,
  renderData,
  renderFacts,
  renderFigure,
  renderStrip,
  renderTable,
} from './page-parts.js'
import type { SliceFacts } from './slice-facts.js'
import { escapeXml } from './svg.js'
import type { Checks } from './task-figures.js'
import { reachVerdict } from './verdict.js'

const WIDE = { width: 580, heading: false }
const NARROW = { width: 340, heading: false }

/** All of result `number` on the page: verdict, slider for its size, both pictures, slices, table, settings. */
export function renderResult(
  result: ReportedResult,
  number: number,
  { story, facts, file }: { story: Checks; facts: SliceFacts; file: string | undefined },
): string {
  const { model, dataset, metric, layersToSkip, distances, standardErrors } = result
  const { title, verb } = describeMetric(metric)
  const sizes = Array.from({ length: model.layers - 1 }, (_, i) => i + 1)
  const verdicts = sizes.map((n) => reachVerdict(result, n, story))
  const yaml = verdicts.map(({ start, end }) => formatYaml(result, { start, end }, facts))
  const commands = verdicts.map((block) => formatCommandOf(result, block, file))
  const metricRows = sizes.map((n) => compareMetrics(result, n))
  const asked = verdicts[layersToSkip - 1]!
  const id = `result-${number}`
  const files = fileName(model.id, `${metric}-${number}`)
  const maps = [WIDE, NARROW].map(
    (options, i) =>
      `<div class="map ${i === 0 ? 'wide' : 'narrow'}" tabindex="0" role="application"` +
      ` aria-label="Heat map of all blocks: arrow keys move, Enter takes the size" data-frame='${JSON.stringify(
        frameHeatMap(model.layers, options),
      )}'>` +
      `${drawHeatMap(result, { ...options, chosen: asked }).replaceAll('lp-shades', `${id}-shades-${i}`)}</div>`,
  )
  return `<section class="result" id="${id}" aria-labelledby="${id}-title">
<header class="of"><h3 id="${id}-title">${capitalize(title)} of every block</h3><p>${escapeXml(dataset.id)} · ${formatQuantity(dataset.samples, 'text')}, ${describeTokens(result.tokens)} of each</p></header>
<div class="verdict ${asked.standing}">
<p class="headline" aria-live="polite">${asked.headline}</p>
<p class="detail">${asked.detail}</p>
${renderStrip(model.layers, [asked])}
<p class="how-sure"><strong class="badge">${asked.badge}</strong> <span class="reason">${escapeXml(asked.reason)}</span></p>
<p class="size"><label for="${id}-size">Layers to remove</label>
<input type="range" id="${id}-size" min="1" max="${model.layers - 1}" value="${layersToSkip}" step="1">
<output for="${id}-size">${layersToSkip}</output></p>
</div>
<div class="pictures">
${renderFigure(`${files}-curve`, `${capitalize(title)} by first layer removed <small class="band"></small>`, '<div class="curve"></div><p class="tip" hidden></p>')}
${renderFigure(`${files}-heatmap`, `Every block of every size <small class="hint">brighter: ${verb} the stream less; start 0 is off the scale · click a row to take its size</small>`, `${maps.join('')}<p class="tip readout" aria-live="polite" hidden></p>`)}
</div>
${renderMetrics(metricRows[layersToSkip - 1]!)}<div class="rest">
<div>${renderCopy('command', 'To make the cut', commands[layersToSkip - 1]!)}
${renderCopy('yaml', 'mergekit slices', yaml[layersToSkip - 1]!)}</div>
<div><details open><summary>Blocks of <span class="n">${layersToSkip}</span></summary><div class="scroll blocks" tabindex="0" role="region" aria-label="Table of blocks"><table><thead><tr><th scope="col">layers</th><th scope="col">start</th><th scope="col">end</th><th scope="col">distance</th><th scope="col">± std err</th></tr></thead><tbody>${renderRows(result)}</tbody></table></div></details></div>
</div>
${renderVerification(result)}<details class="settings"><summary>What was measured</summary>${describeSettings(result)}</details>
${renderData({ layers: model.layers, n: layersToSkip, distances, standardErrors, verdicts, yaml, commands, metricRows })}
</section>`
}

/** By the file of the result, if it can be read again, so that the texts are known that the block was chosen on. */
function formatCommandOf(result: ReportedResult, { start, end }: Block, file: string | undefined): string {
  const { model, layersToSkip, bestBlocks } = result
  const isOfRun = end - start === layersToSkip && bestBlocks === undefined
  const size = isOfRun ? [] : [nameFlag('layersToSkip'), String(end - start)]
  const cut =
    file === undefined ? [nameFlag('drop'), formatBlocks([{ start, end }])] : [nameFlag('from'), file, ...size]
  const isAdapter = model.base !== undefined
  return formatPruneCommand({ options: optionsOf(result), cut, file: model.file, isAdapter })
}

function formatYaml({ model }: ReportedResult, block: Block, facts: SliceFacts): string {
  return formatSliceConfig({
    model: model.id,
    revision: model.askedRevision && model.revision ? model.revision : undefined,
    layers: model.layers,
    removed: [block],
    dtype: model.checkpointDtype,
    problem: facts.findProblem(model, [block]),
  })
}

function renderRows(result: ReportedResult): string {
  const recommended = recommendBlock(result, result.layersToSkip)
  return result.blocks
    .map(
      ({ start, end, distance, standardError }) =>
        `<tr${start === recommended.start ? ' class="best"' : ''}><td>${formatLayers({ start, end })}</td><td>${start}</td>` +
        `<td>${end}</td><td>${formatDistance(distance)}</td><td>${standardError === null ? '' : formatDistance(standardError)}</td></tr>`,
    )
    .join('')
}

/** What a metric chooses for a size, in cells, and whether it is the metric that decides. */
interface MetricRow {
  cells: string[]
  decides: boolean
}

/** One row per metric, the one that decides first; none if there is no other. */
function compareMetrics(result: ReportedResult, n: number): MetricRow[] {
  const metrics = listMetrics(result)
  if (metrics.length === 1) return []
  const recommended = recommendBlock(result, n)
  const checked = n === result.layersToSkip ? result.verification?.recommended : undefined
  return [
    ...(checked === undefined ? [] : [describePerplexity(checked)]),
    ...metrics.map((metric) => {
      const { distances, standardErrors } = selectMetric(result, metric)
      const best = findBestBlock(distances, n)
      const decides = checked === undefined && metric === result.metric
      return {
        decides,
        cells: [
          metric,
          formatLayers(best),
          formatEstimate(distances[n]![best.start]!, standardErrors[n]![best.start]!),
          decides ? 'used for ranking' : best.start === recommended.start ? '✓ same' : '≠ other',
        ],
      }
    }),
  ]
}

function describePerplexity({ start, end, perplexity, standardError }: VerifiedBlock): MetricRow {
  const error = standardError === null ? '' : ` ± ${formatPerplexity(standardError)}`
  const estimate = perplexity === null ? 'not finite' : `${formatPerplexity(perplexity)}${error}`
  return { decides: true, cells: ['perplexity', formatLayers({ start, end }), estimate, 'recommends'] }
}

function renderMetrics(rows: MetricRow[]): string {
  if (rows.length === 0) return ''
  const lines = rows.map(
    ({ cells, decides }) =>
      `<tr${decides ? ' class="best"' : ''}>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`,
  )
  return `<h4>What other metrics choose</h4>
<div class="scroll metrics" tabindex="0" role="region" aria-label="Table of metrics"><table><thead><tr><th scope="col">metric</th><th scope="col">layers</th><th scope="col">smallest ± std err</th><th scope="col"></th></tr></thead><tbody>${lines.join('')}</tbody></table></div>
`
}

function renderVerification({ verification }: ReportedResult): string {
  if (verification === undefined) return ''
  const table = renderTable(VERIFICATION_COLUMNS, listVerificationRows(verification.blocks), {
    label: 'Table of checked blocks',
    className: 'verification',
    isBest: isLowestRow,
  })
  return `<h4>Checked by perplexity on ${formatQuantity(verification.dataset.texts, 'other text')} (whole model ${formatPerplexity(verification.perplexity)})</h4>
${table}
`
}

function describeSettings(result: ReportedResult): string {
  const { model, dataset, settings, tokens, certainty, layerpruneVersion } = result
  const metrics = listMetrics(result)
  const { empty, notText } = dataset.skipped
  return renderFacts([
    ['model', model.id],
    ['revision', model.revision],
    ['family', model.family],
    ['layers, hidden size', `${model.layers}, ${formatCount(model.hiddenSize)}`],
    ...nameBase(model),
    ['read from', `${model.file} in ${model.dtype}`],
    ['checkpoint stores', model.checkpointDtype],
    ['dataset', [dataset.id, dataset.config, dataset.split].filter((part) => part !== null).join(', ')],
    ['dataset revision', dataset.revision],
    ['column', dataset.column],
    ['texts, tokens', `${formatCount(dataset.samples)}, ${formatCount(dataset.tokens)}`],
    ['rows skipped', empty + notText === 0 ? null : `${empty} empty, ${notText} without text`],
    ['metrics', metrics.join(', ')],
    ['tokens compared', describeTokens(tokens)],
    ['longest text', formatQuantity(settings.maxLength, 'token')],
    ['batch size', settings.batchSize],
    ['texts asked for', settings.datasetSize],
    ['shuffled with seed', settings.shuffle],
    ['stopped at confidence', settings.until],
    ['test of certainty', certainty && `${certainty.test}, level ${certainty.level}`],
    ['fingerprint of model', model.fingerprint.slice(0, 16)],
    ['fingerprint of texts', dataset.fingerprint.slice(0, 16)],
    ['layerprune', layerpruneVersion],
  ])
}

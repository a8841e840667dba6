import { type ScaleLogarithmic, scaleLinear, scaleLog } from 'd3-scale'
import { formatCount, formatPerplexity, formatQuantity } from '../../base/format-numbers.js'
import { formatLayers } from '../../model/layers/names.js'
import type { EvaluationResult } from '../documents/evaluation-result.js'
import { BAND, describeScored, MARKS, px, type Scheme, shorten, svgFrame } from './svg.js'

const WIDTH = 760
const MARGIN = { top: 102, right: 90, bottom: 56, left: 150 }
const ROW_HEIGHT = 24

function rulesOf(scheme: Scheme): string {
  const { curve, best } = MARKS[scheme]
  return `.lp-dot{fill:${curve}}.lp-error{stroke:${curve}}.lp-best{fill:${best}}.lp-whole{stroke:${best}}`
}

/** SVG of the perplexity of cuts, lowest first, with 1.96 standard errors if known, on a logarithmic scale. */
export function drawPerplexities(evaluation: EvaluationResult): string {
  const { candidates, perplexity: whole } = evaluation
  const rows = [...candidates].sort((a, b) => (a.perplexity ?? Infinity) - (b.perplexity ?? Infinity))
  const bottom = MARGIN.top + ROW_HEIGHT * rows.length
  const height = bottom + MARGIN.bottom
  const right = WIDTH - MARGIN.right
  const most = Math.max(1.1 * whole, ...rows.map((row) => rangeOf(row)?.[1] ?? 0))
  const least = Math.min(whole, ...rows.map((row) => rangeOf(row)?.[0] ?? whole))
  const x = scaleLog([least / 1.05, Math.min(most * 1.05, Number.MAX_VALUE)], [MARGIN.left, right])
  const ticks = chooseTicks(x)
  const frame = {
    ...{ width: WIDTH, height, rulesOf },
    described: `Perplexity of ${formatQuantity(rows.length, 'cut')}; whole model ${formatPerplexity(whole)}`,
    heading: {
      title: 'Perplexity without layers',
      note: { text: `bars: ± ${BAND} standard errors` },
      origin: describeScored(evaluation),
    },
  }
  return svgFrame(frame, [
    ...ticks.flatMap((tick) => [
      `<line class="lp-grid" x1="${px(x(tick))}" x2="${px(x(tick))}" y1="${MARGIN.top}" y2="${bottom}"/>`,
      `<text class="lp-quiet" x="${px(x(tick))}" y="${bottom + 18}" text-anchor="middle">${formatShort(tick)}</text>`,
    ]),
    `<line class="lp-whole" stroke-dasharray="4 3" x1="${px(x(whole))}" x2="${px(x(whole))}" y1="${MARGIN.top - 6}" y2="${bottom}"/>`,
    `<text class="lp-ink" x="${px(x(whole))}" y="${MARGIN.top - 10}">whole model ${formatPerplexity(whole)}</text>`,
    `<text class="lp-ink" x="${(MARGIN.left + right) / 2}" y="${height - 12}" text-anchor="middle">perplexity, logarithmic scale</text>`,
    ...rows.flatMap((row, index) => drawRow(row, index, x, right)),
  ])
}

type Candidate = EvaluationResult['candidates'][number]
type Scale = (value: number) => number

function rangeOf(candidate: Candidate): [low: number, high: number] | null {
  if (candidate.perplexity === null) return null
  const reach = BAND * (candidate.standardError ?? 0)
  // no perplexity is below 1, and a logarithm needs more than 0
  return [Math.max(1, candidate.perplexity - reach), Math.min(candidate.perplexity + reach, Number.MAX_VALUE)]
}

function drawRow(candidate: Candidate, index: number, x: Scale, right: number): string[] {
  const y = MARGIN.top + ROW_HEIGHT * (index + 0.5)
  const name = shorten(candidate.removed.map(formatLayers).join(', '), 18)
  const weight = index === 0 ? ' font-weight="600"' : ''
  const label = `<text class="lp-ink" x="${MARGIN.left - 12}" y="${y + 4}" text-anchor="end"${weight}>${name}</text>`
  const range = rangeOf(candidate)
  if (candidate.perplexity === null || range === null) {
    return [label, `<text class="lp-quiet" x="${right + 10}" y="${y + 4}">not finite</text>`]
  }
  const at = px(x(candidate.perplexity))
  return [
    label,
    `<line class="lp-error" stroke-width="2" x1="${px(x(range[0]))}" x2="${px(x(range[1]))}" y1="${y}" y2="${y}"/>`,
    `<circle class="${index === 0 ? 'lp-best' : 'lp-dot'}" cx="${at}" cy="${y}" r="${index === 0 ? 6 : 4}"/>`,
    `<text class="lp-ink" x="${right + 10}" y="${y + 4}"${weight}>${candidate.perplexity < 1000 ? formatPerplexity(candidate.perplexity) : formatShort(candidate.perplexity)}</text>`,
  ]
}

/** Pixels from one tick to the next, at least: room for its label. */
const TICK_ROOM = 48

/** Powers of ten if there is room for two or more, else 1, 2 and 5 times those, or even steps on a short scale. */
function chooseTicks(x: ScaleLogarithmic<number, number>): number[] {
  const [low, high] = x.domain() as [number, number]
  const decades = Math.log10(high / low)
  const powers = Array.from(
    { length: Math.floor(Math.log10(high)) - Math.floor(Math.log10(low)) + 1 },
    (_, index) => 10 ** (Math.floor(Math.log10(low)) + index),
  )
  const candidates =
    decades >= 2.5
      ? powers
      : decades >= 0.8
        ? powers.flatMap((power) => [power, 2 * power, 5 * power])
        : scaleLinear([low, high], [0, 1]).ticks(6)
  const inside = candidates.filter((tick) => tick >= low && tick <= high)
  const chosen: number[] = []
  for (const tick of inside) {
    if (chosen.length === 0 || x(tick) - x(chosen.at(-1)!) >= TICK_ROOM) chosen.push(tick)
  }
  return chosen
}

/** `25.5`, `1,000`, `7.9M`, `1e+12`: never wider than the margin. */
function formatShort(value: number): string {
  if (value < 1e5) return value < 1000 ? String(Number(value.toPrecision(4))) : formatCount(Math.round(value))
  if (value < 1e6) return `${Math.round(value / 1e3)}k`
  if (value < 1e9) return `${Number((value / 1e6).toPrecision(2))}M`
  return value.toExponential(value === 10 ** Math.round(Math.log10(value)) ? 0 : 1)
}

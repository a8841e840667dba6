import { scaleLinear, scaleLog } from 'd3-scale'
import { line } from 'd3-shape'
import { formatCount, formatPerplexity, formatQuantity, formatSize } from '../../base/format-numbers.js'
import { formatLayers } from '../../model/layers/names.js'
import type { SweepCandidate, SweepResult } from '../documents/sweep-result.js'
import { describeScored, escapeXml, INK, px, type Scheme, svgFrame } from './svg.js'

const WIDTH = 760
const HEIGHT = 440
const TOP = 112
const BOTTOM = HEIGHT - 56
/** Left and right edge of each panel. */
const PANELS = [
  [68, 396],
  [428, 744],
] as const
/** Room within a panel beside its first and last point. */
const INSET = 12

/** Colours of the strategies in turn (Okabe and Ito), in the light and in the dark scheme. */
const LINES = {
  light: ['#0072b2', '#d55e00', '#009e73', '#aa4499'],
  dark: ['#56b4e9', '#e69f00', '#2bc49b', '#dd88cc'],
}

const rulesOf = (scheme: Scheme) =>
  LINES[scheme].map((color, i) => `.lp-line-${i}{stroke:${color}}.lp-dot-${i}{fill:${color}}`).join('') +
  `.lp-ring{stroke:${INK[scheme].ink};fill:none}.lp-limit{stroke:${INK[scheme].quiet}}`

/** The perplexity of cuts of a strategy, or of its repaired cuts, over the whole model's. */
interface Curve {
  color: number
  isRepaired: boolean
  points: Point[]
}

interface Point {
  cut: Pick<SweepCandidate, 'layersToSkip' | 'bytes' | 'removed'>
  ratio: number
}

type Scale = (value: number) => number

/** SVG of perplexity over the whole model's, on a log scale, by layers removed and by bytes; dashed if repaired. */
export function drawSweep(sweep: SweepResult): string {
  const curves = listCurves(sweep)
  const y = scaleRatios(sweep, curves)
  const sizes = [sweep.whole.bytes, ...sweep.candidates.map(({ bytes }) => bytes)]
  const most = Math.max(1, ...sweep.candidates.map(({ layersToSkip }) => layersToSkip))
  const byLayers = scaleLinear([0, most], insetOf(0))
  const byBytes = scaleLinear([Math.min(...sizes), Math.max(...sizes)], insetOf(1))
  const layerTicks = byLayers.ticks(Math.min(most, 10)).filter((tick) => Number.isInteger(tick))
  const frame = {
    ...{ width: WIDTH, height: HEIGHT, rulesOf },
    described: `Perplexity of ${formatQuantity(sweep.candidates.length, 'cut')} of ${sweep.model.id} over the whole model's, by layers removed and by size`,
    heading: { title: 'Perplexity without layers, × the whole model’s', origin: describeScored(sweep) },
  }
  return svgFrame(frame, [
    ...drawLegend(sweep, curves),
    ...drawRatios(sweep, y),
    ...drawPanel(
      0,
      'layers removed',
      layerTicks.map((tick) => [byLayers(tick), String(tick)]),
    ),
    ...drawPanel(
      1,
      'size of the weights on disk',
      byBytes.ticks(4).map((tick) => [byBytes(tick), formatSize(tick)]),
    ),
    ...drawCurves(sweep, curves, (cut) => byLayers(cut.layersToSkip), y),
    ...drawCurves(sweep, curves, (cut) => byBytes(cut.bytes), y),
  ])
}

function insetOf(panel: 0 | 1): [number, number] {
  const [left, right] = PANELS[panel]
  return [left + INSET, right - INSET]
}

function listCurves({ strategies, candidates, whole }: SweepResult): Curve[] {
  const start: Point = { cut: { layersToSkip: 0, bytes: whole.bytes, removed: [] }, ratio: 1 }
  return strategies.flatMap((strategy, color) => {
    const own = candidates.filter((cut) => cut.strategies.includes(strategy))
    const curve = (isRepaired: boolean, perplexity: (cut: SweepCandidate) => number | null | undefined) => ({
      color,
      isRepaired,
      points: [
        start,
        ...own.flatMap((cut) => {
          const value = perplexity(cut)
          return value === null || value === undefined ? [] : [{ cut, ratio: value / whole.perplexity }]
        }),
      ],
    })
    const plain = curve(false, (cut) => cut.perplexity)
    const repaired = curve(true, (cut) => cut.repaired?.perplexity)
    return repaired.points.length > 1 ? [plain, repaired] : [plain]
  })
}

function scaleRatios({ limits }: SweepResult, curves: Curve[]) {
  const ratios = curves.flatMap(({ points }) => points.map(({ ratio }) => ratio))
  const high = Math.max(1.2, limits.maxPerplexityRatio ?? 1, ...ratios)
  return scaleLog([Math.min(1, ...ratios), high], [BOTTOM - INSET, TOP + INSET])
}

function drawLegend({ strategies }: SweepResult, curves: Curve[]): string[] {
  const names = curves.map(({ color, isRepaired }) => `${strategies[color]}${isRepaired ? ', repaired' : ''}`)
  let left = 20
  return curves.flatMap(({ color, isRepaired }, index) => {
    const at = left
    left += 40 + 7 * names[index]!.length
    return [
      `<line class="lp-line-${color}" stroke-width="2"${isRepaired ? ' stroke-dasharray="5 4"' : ''} x1="${at}" x2="${at + 22}" y1="86" y2="86"/>`,
      `<text class="lp-ink" x="${at + 28}" y="90">${escapeXml(names[index]!)}</text>`,
    ]
  })
}

/** Values like 1, 2, 5, 10, whose gaps look alike on a logarithmic scale; all that there are if it is a short one. */
function chooseTicks(y: ReturnType<typeof scaleRatios>): number[] {
  const offered = y.ticks(8)
  const round = offered.filter((tick) => /^[125]0*$/.test(`${tick}`))
  const ticks: number[] = []
  for (const tick of [1, ...(round.length > 2 ? round : offered)]) {
    if (ticks.length === 0 || Math.abs(y(tick) - y(ticks.at(-1)!)) >= 22) ticks.push(tick)
  }
  return ticks
}

/** Grid, and the limit if there is one. */
function drawRatios({ limits }: SweepResult, y: ReturnType<typeof scaleRatios>): string[] {
  const ticks = chooseTicks(y)
  const limit = limits.maxPerplexityRatio
  return PANELS.flatMap(([left, right], panel) => [
    ...ticks.flatMap((tick) => [
      `<line class="lp-grid" x1="${left}" x2="${right}" y1="${px(y(tick))}" y2="${px(y(tick))}"/>`,
      ...(panel === 0
        ? [`<text class="lp-quiet" x="${left - 8}" y="${px(y(tick) + 4)}" text-anchor="end">${formatTick(tick)}</text>`]
        : []),
    ]),
    ...(limit === undefined
      ? []
      : [
          `<line class="lp-limit" stroke-dasharray="3 3" x1="${left}" x2="${right}" y1="${px(y(limit))}" y2="${px(y(limit))}"/>`,
        ]),
  ])
}

function formatTick(tick: number): string {
  return tick < 1e7 ? formatCount(Number(tick.toPrecision(3))) : tick.toExponential(0)
}

function drawPanel(panel: 0 | 1, title: string, ticks: [at: number, label: string][]): string[] {
  const [left, right] = PANELS[panel]
  return [
    ...ticks.flatMap(([at, label]) => [
      `<line class="lp-grid" x1="${px(at)}" x2="${px(at)}" y1="${BOTTOM}" y2="${BOTTOM + 5}"/>`,
      `<text class="lp-quiet" x="${px(at)}" y="${BOTTOM + 19}" text-anchor="middle">${label}</text>`,
    ]),
    `<text class="lp-ink" x="${(left + right) / 2}" y="${HEIGHT - 14}" text-anchor="middle">${title}</text>`,
  ]
}

function drawCurves(
  { recommended }: SweepResult,
  curves: Curve[],
  xOf: (cut: Point['cut']) => number,
  y: Scale,
): string[] {
  const path = line<Point>()
    .digits(1)
    .x(({ cut }) => xOf(cut))
    .y(({ ratio }) => y(ratio))
  const isRecommended = ({ cut }: Point) => JSON.stringify(cut.removed) === JSON.stringify(recommended?.removed)
  return curves.flatMap(({ color, isRepaired, points }) => [
    `<path class="lp-line-${color}" fill="none" stroke-width="2" stroke-linejoin="round"${isRepaired ? ' stroke-dasharray="5 4"' : ''} d="${path(points)}"/>`,
    ...points.slice(1).map((point) => {
      const at = `cx="${px(xOf(point.cut))}" cy="${px(y(point.ratio))}"`
      const title = `<title>${point.cut.removed.map(formatLayers).join(', ')}: × ${formatPerplexity(point.ratio)}</title>`
      const ring = isRecommended(point) ? `<circle class="lp-ring" stroke-width="2" ${at} r="7"/>` : ''
      return `<circle class="lp-dot-${color}" ${at} r="3">${title}</circle>${ring}`
    }),
  ])
}

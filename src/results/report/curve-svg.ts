import { scaleLinear } from 'd3-scale'
import { area, line } from 'd3-shape'
import { capitalize, formatEstimate, formatQuantity } from '../../base/format-numbers.js'
import { nameLayers } from '../../model/layers/names.js'
import { describeMetric } from '../documents/metrics.js'
import type { ScoredBlock, SimilarityResult } from '../documents/similarity-result.js'
import { BAND, describeOrigin, INK, MARKS, px, type Scheme, svgFrame } from './svg.js'

const WIDTH = 760
const HEIGHT = 436
const MARGIN = { top: 84, right: 24, bottom: 56, left: 68 }

function rulesOf(scheme: Scheme): string {
  const [{ ink, paper }, { curve, best }] = [INK[scheme], MARKS[scheme]]
  return [
    `.lp-curve{stroke:${curve};fill:none}`,
    `.lp-dot{fill:${curve}}`,
    `.lp-band{fill:${curve};fill-opacity:0.2}`,
    `.lp-error{stroke:${curve};stroke-opacity:0.5}`,
    `.lp-best{fill:${best};stroke:${paper}}`,
    `.lp-best-rule{stroke:${best}}`,
    `.lp-best-name{fill:${ink};stroke:${paper};stroke-width:4px;paint-order:stroke}`,
  ].join('')
}

/** SVG of the distance of every block by its start layer, with a band of 1.96 standard errors if known. */
export function drawDistanceCurve(result: SimilarityResult): string {
  const { blocks, best, layersToSkip, metric } = result
  const { title, limit } = describeMetric(metric)
  const withErrors = blocks.every(({ standardError }) => standardError !== null)
  const x = scaleStarts(blocks)
  const y = scaleDistances(blocks, limit)
  const size = formatQuantity(layersToSkip, 'layer')
  const frame = {
    ...{ width: WIDTH, height: HEIGHT, rulesOf },
    described:
      `${capitalize(title)} by start layer over ${formatQuantity(blocks.length, 'block')} of ${size}; ` +
      `smallest ${formatEstimate(best.distance, best.standardError)} for ${nameLayers(best)}`,
    heading: {
      title: `${capitalize(title)} across ${size}`,
      note: withErrors ? { text: `band: ± ${BAND} standard errors` } : undefined,
      origin: describeOrigin(result),
    },
  }
  return svgFrame(frame, [
    ...drawAxes(x, y, size, title),
    ...(withErrors ? drawErrors(blocks, x, y, limit) : []),
    ...drawCurve(blocks, x, y),
    ...drawBest(best, x, y),
  ])
}

type Scale = (value: number) => number
interface Axis {
  at: Scale
  ticks: { value: number; label: string }[]
}

function scaleStarts(blocks: ScoredBlock[]): Axis {
  const first = blocks[0]!.start
  const last = blocks.at(-1)!.start
  const domain = first === last ? [first - 1, last + 1] : [first, last]
  const scale = scaleLinear(domain, [MARGIN.left + 12, WIDTH - MARGIN.right - 12])
  const ticks = scale.ticks(Math.min(blocks.length, 16)).filter((tick) => Number.isInteger(tick))
  const inside = ticks.filter((tick) => tick >= first && tick <= last)
  return { at: scale, ticks: inside.map((value) => ({ value, label: String(value) })) }
}

function scaleDistances(blocks: ScoredBlock[], limit: number): Axis {
  const low = Math.min(...blocks.map((block) => bandOf(block, limit)[0]))
  const high = Math.max(...blocks.map((block) => bandOf(block, limit)[1]))
  // room below the curve for the name of the best block
  const room = Math.max(0.2 * (high - low), 0.005)
  const scale = scaleLinear([Math.max(0, low - room), high + 0.25 * room], [HEIGHT - MARGIN.bottom, MARGIN.top]).nice(6)
  const label = scale.tickFormat(6)
  return { at: scale, ticks: scale.ticks(6).map((value) => ({ value, label: label(value) })) }
}

function bandOf({ distance, standardError }: ScoredBlock, limit: number): [low: number, high: number] {
  const reach = BAND * (standardError ?? 0)
  return [Math.max(0, distance - reach), Math.min(limit, distance + reach)]
}

function drawAxes(x: Axis, y: Axis, size: string, title: string): string[] {
  const bottom = HEIGHT - MARGIN.bottom
  const right = WIDTH - MARGIN.right
  const middle = (MARGIN.top + bottom) / 2
  return [
    ...y.ticks.flatMap(({ value, label }) => [
      `<line class="lp-grid" x1="${MARGIN.left}" x2="${right}" y1="${px(y.at(value))}" y2="${px(y.at(value))}"/>`,
      `<text class="lp-quiet" x="${MARGIN.left - 8}" y="${px(y.at(value) + 4)}" text-anchor="end">${label}</text>`,
    ]),
    ...x.ticks.flatMap(({ value, label }) => [
      `<line class="lp-grid" x1="${px(x.at(value))}" x2="${px(x.at(value))}" y1="${bottom}" y2="${bottom + 5}"/>`,
      `<text class="lp-quiet" x="${px(x.at(value))}" y="${bottom + 19}" text-anchor="middle">${label}</text>`,
    ]),
    `<text class="lp-ink" x="${(MARGIN.left + right) / 2}" y="${HEIGHT - 14}" text-anchor="middle">` +
      `${size === '1 layer' ? 'layer' : `first of the ${size}`} removed, 0-based</text>`,
    `<text class="lp-ink" x="20" y="${middle}" text-anchor="middle" transform="rotate(-90 20 ${middle})">` +
      `mean ${title}</text>`,
  ]
}

function drawErrors(blocks: ScoredBlock[], x: Axis, y: Axis, limit: number): string[] {
  if (blocks.length === 1) {
    const [low, high] = bandOf(blocks[0]!, limit)
    const at = px(x.at(blocks[0]!.start))
    return [
      `<line class="lp-error" stroke-width="3" x1="${at}" x2="${at}" y1="${px(y.at(low))}" y2="${px(y.at(high))}"/>`,
    ]
  }
  const path = area<ScoredBlock>()
    .digits(1)
    .x(({ start }) => x.at(start))
    .y0((block) => y.at(bandOf(block, limit)[0]))
    .y1((block) => y.at(bandOf(block, limit)[1]))
  return [`<path class="lp-band" d="${path(blocks)}"/>`]
}

function drawCurve(blocks: ScoredBlock[], x: Axis, y: Axis): string[] {
  const path = line<ScoredBlock>()
    .digits(1)
    .x(({ start }) => x.at(start))
    .y(({ distance }) => y.at(distance))
  const radius = blocks.length > 60 ? 2 : 3
  const dots = blocks.map(
    (block) =>
      `<circle class="lp-dot" cx="${px(x.at(block.start))}" cy="${px(y.at(block.distance))}" r="${radius}">` +
      `<title>${nameLayers(block)}: ${formatEstimate(block.distance, block.standardError)}</title></circle>`,
  )
  return [`<path class="lp-curve" stroke-width="2" stroke-linejoin="round" d="${path(blocks)}"/>`, ...dots]
}

function drawBest(best: ScoredBlock, x: Axis, y: Axis): string[] {
  const [left, top] = [x.at(best.start), y.at(best.distance)]
  const bottom = HEIGHT - MARGIN.bottom
  const across = (left - MARGIN.left) / (WIDTH - MARGIN.left - MARGIN.right)
  const [anchor, shift] = across < 0.25 ? ['start', 8] : across > 0.75 ? ['end', -8] : ['middle', 0]
  const nameBase = Math.min(top + 24, bottom - 6)
  // the rule leaves the name that stands in its way readable
  const ruleTop = shift === 0 ? Math.min(nameBase + 6, bottom) : top
  const label = `${nameLayers(best)}: ${formatEstimate(best.distance, best.standardError)}`
  return [
    `<line class="lp-best-rule" stroke-dasharray="3 3" x1="${px(left)}" x2="${px(left)}" y1="${px(ruleTop)}" y2="${bottom}"/>`,
    `<circle class="lp-best" stroke-width="1.5" cx="${px(left)}" cy="${px(top)}" r="6"/>`,
    `<text class="lp-best-name" x="${px(left + shift)}" y="${px(nameBase)}" text-anchor="${anchor}"` +
      ` font-weight="600">${label}</text>`,
  ]
}

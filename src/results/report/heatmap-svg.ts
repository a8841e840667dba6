import { capitalize, formatDistance, formatQuantity } from '../../base/format-numbers.js'
import type { Block } from '../../model/layers/block.js'
import { nameLayers } from '../../model/layers/names.js'
import { describeMetric } from '../documents/metrics.js'
import { findBestBlock } from '../documents/result-views.js'
import type { SimilarityResult } from '../documents/similarity-result.js'
import { colorOf, placeOn, rangeOf } from './heat-shades.js'
import { describeOrigin, px, svgFrame } from './svg.js'

/** Whether colours range from the smallest to the largest distance of each row, or of the whole map. */
export type HeatScale = 'row' | 'absolute'

export type HeatMapped = Pick<
  SimilarityResult,
  'model' | 'dataset' | 'metric' | 'tokens' | 'layersToSkip' | 'distances' | 'partial'
>

const WIDTH = 760
/** Room for the heading, if there is one. */
const HEADING_HEIGHT = 72
const LEGEND_HEIGHT = 40
const BOTTOM = 56
/** Narrower than this, as on a phone, margins and legend take less. */
const NARROW = 500
/** From this on, the legend has room for what the scale omits. */
const ROOMY = 700
const MAX_CELL = 30
const MIN_MAP_HEIGHT = 180
const MAX_MAP_HEIGHT = 460
const MAX_ROW = 60
/** How many colours there are; cells of one colour are one path, which keeps a map of 126 layers small. */
const SHADES = 64

/** Where the cells of a map lie, in the units of its view box: `n` from 1 at the bottom, `start` from the left. */
export interface HeatMapFrame {
  width: number
  height: number
  left: number
  /** Lower edge of the row of single layers. */
  bottom: number
  cellWidth: number
  cellHeight: number
}

export interface HeatMapOptions {
  /** `row` if omitted. */
  scale?: HeatScale
  /** Pixels; 760 if omitted. */
  width?: number
  /** Title, model and dataset above the map; true if omitted. */
  heading?: boolean
  /** The block with a frame; that of the smallest distance if omitted. */
  chosen?: Block
}

/** The frame of a model's map; a block of all its layers is omitted, because nothing would be kept. */
export function frameHeatMap(
  layers: number,
  { width = WIDTH, heading = true }: Omit<HeatMapOptions, 'scale'> = {},
): HeatMapFrame {
  const [left, right] = width < NARROW ? [44, 8] : [68, 24]
  const cellWidth = (width - left - right) / layers
  const rows = layers - 1
  const mapHeight = Math.max(
    Math.min(MIN_MAP_HEIGHT, rows * MAX_ROW),
    Math.min(rows * Math.min(cellWidth, MAX_CELL), MAX_MAP_HEIGHT),
  )
  const bottom = (heading ? HEADING_HEIGHT : 0) + LEGEND_HEIGHT + mapHeight
  return { width, height: bottom + BOTTOM, left, bottom, cellWidth, cellHeight: mapHeight / rows }
}

/**
 * SVG of the distance of every block of every size: across its start, up its size, bright where the residual
 * stream rotates least (the map of Gromov et al. 2024, figure 4). A dot marks the best block of each size, a frame
 * that of the size asked for. It follows the reader's light or dark scheme.
 */
export function drawHeatMap(result: HeatMapped, options: HeatMapOptions = {}): string {
  const { scale = 'row', heading = true } = options
  const { model, metric, distances, layersToSkip } = result
  const frame = frameHeatMap(model.layers, options)
  const best = findBestBlock(distances, layersToSkip)
  const { title } = describeMetric(metric)
  const distance = formatDistance(distances[layersToSkip]![best.start]!)
  const whole = {
    ...{ width: frame.width, height: px(frame.height) },
    described:
      `${capitalize(title)} of every block by start and size; smallest for ${formatQuantity(layersToSkip, 'layer')}: ` +
      `${nameLayers(best)}, ${distance}`,
    heading: heading
      ? {
          title: `${capitalize(title)} of every block`,
          note: { text: `${nameLayers(best)}: ${distance}`, isImportant: true },
          origin: describeOrigin(result),
        }
      : undefined,
  }
  return svgFrame(whole, [
    ...drawAxes(frame, model.layers),
    ...drawCells(result, frame, scale),
    ...drawBestOfEach(result, frame),
    drawChosen(options.chosen ?? best, frame),
    ...drawLegend(result, frame, scale),
  ])
}

function drawAxes({ left, bottom, cellWidth, cellHeight }: HeatMapFrame, layers: number): string[] {
  const middle = bottom - (cellHeight * (layers - 1)) / 2
  const side = left < 60 ? 12 : 20
  const every = tickStep(layers, 30 / cellWidth)
  const everyRow = tickStep(layers, 16 / cellHeight)
  const starts = Array.from({ length: layers }, (_, start) => start).filter((start) => start % every === 0)
  const sizes = Array.from({ length: layers - 1 }, (_, i) => i + 1).filter((n) => n === 1 || n % everyRow === 0)
  // 1 and 2 would touch if the next tick is 2
  const shown = everyRow === 1 || everyRow > 2 ? sizes : sizes.filter((n) => n !== 1)
  return [
    ...starts.map(
      (start) =>
        `<text class="lp-quiet" x="${px(left + (start + 0.5) * cellWidth)}" y="${px(bottom + 18)}" text-anchor="middle">${start}</text>`,
    ),
    ...shown.map(
      (n) =>
        `<text class="lp-quiet" x="${left - 8}" y="${px(bottom - (n - 0.5) * cellHeight + 4)}" text-anchor="end">${n}</text>`,
    ),
    `<text class="lp-ink" x="${px(left + (cellWidth * layers) / 2)}" y="${px(bottom + 42)}" text-anchor="middle">` +
      'first layer removed, 0-based</text>',
    `<text class="lp-ink" x="${side}" y="${px(middle)}" text-anchor="middle" transform="rotate(-90 ${side} ${px(middle)})">` +
      'layers removed</text>',
  ]
}

/** The smallest of 1, 2, 5, 10, 20, ... that is at least `least`. */
function tickStep(layers: number, least: number): number {
  const steps = [1, 2, 5, 10, 20, 50, 100]
  return steps.find((step) => step >= least) ?? layers
}

function drawCells({ model, distances }: HeatMapped, frame: HeatMapFrame, scale: HeatScale): string[] {
  const paths = Array.from({ length: SHADES }, (): string[] => [])
  const whole = scale === 'absolute' ? rangeOf(sizesOf(model.layers).map((n) => distances[n]!)) : null
  for (const n of sizesOf(model.layers)) {
    const range = whole ?? rangeOf([distances[n]!])
    for (const [start, distance] of distances[n]!.entries()) {
      const shade = Math.round(placeOn(range, distance) * (SHADES - 1))
      paths[shade]!.push(drawCell(n, start, frame))
    }
  }
  const drawn = paths.flatMap((cells, shade) =>
    cells.length === 0
      ? []
      : [
          `<path class="lp-cells" shape-rendering="crispEdges" fill="${colorOf(shade / (SHADES - 1))}"` +
            ` d="${cells.join('')}"/>`,
        ],
  )
  return [...drawGround(model.layers, frame), ...drawn]
}

/** Under the cells: in print their edges are blurred, and the paper would show through the gaps. */
function drawGround(layers: number, { left, bottom, cellWidth, cellHeight }: HeatMapFrame): string[] {
  const inset = cellWidth / 4
  const steps = sizesOf(layers).map((n) => {
    const right = left + (layers - n + 1) * cellWidth - inset
    return `H${px(right)}V${px(bottom - n * cellHeight + inset / 2)}`
  })
  const start = `M${px(left + inset)} ${px(bottom - inset)}`
  return [`<path fill="${colorOf(0.5)}" d="${start}${steps.join('')}H${px(left + inset)}z"/>`]
}

function sizesOf(layers: number): number[] {
  return Array.from({ length: layers - 1 }, (_, i) => i + 1)
}

/** Neighbours share an edge: rounding each cell separately would leave a line of paper between them. */
function drawCell(n: number, start: number, { left, bottom, cellWidth, cellHeight }: HeatMapFrame): string {
  const [x0, x1] = [start, start + 1].map((column) => px(left + column * cellWidth))
  const [y0, y1] = [n, n - 1].map((row) => px(bottom - row * cellHeight))
  return `M${x0} ${y0}H${x1}V${y1}H${x0}z`
}

function drawBestOfEach({ model, distances }: HeatMapped, frame: HeatMapFrame): string[] {
  const radius = Math.max(1.2, Math.min(4, Math.min(frame.cellWidth, frame.cellHeight) / 4))
  return sizesOf(model.layers).map((n) => {
    const { start } = findBestBlock(distances, n)
    const x = frame.left + (start + 0.5) * frame.cellWidth
    const y = frame.bottom - (n - 0.5) * frame.cellHeight
    // the best cell is always bright in its row, so a dark dot shows on it
    return `<circle class="lp-best-of-size" cx="${px(x)}" cy="${px(y)}" r="${px(radius)}" fill="#1f2328" stroke="#ffffff" stroke-width="${px(radius / 3)}"/>`
  })
}

function drawChosen({ start, end }: Block, frame: HeatMapFrame): string {
  const x = px(frame.left + start * frame.cellWidth - 1.5)
  const y = px(frame.bottom - (end - start) * frame.cellHeight - 1.5)
  const size = `width="${px(frame.cellWidth + 3)}" height="${px(frame.cellHeight + 3)}"`
  // dark on bright cells, set off from dark ones by the light line around it
  return (
    `<g class="lp-chosen" fill="none" transform="translate(${x} ${y})">` +
    `<rect ${size} rx="2" stroke="#ffffff" stroke-width="4.5"/>` +
    `<rect ${size} rx="2" stroke="#1f2328" stroke-width="2.5"/></g>`
  )
}

function drawLegend(
  { model, distances }: HeatMapped,
  { width, left, bottom, cellHeight }: HeatMapFrame,
  scale: HeatScale,
): string[] {
  const top = bottom - (model.layers - 1) * cellHeight - 20
  const bar = width < NARROW ? 52 : 140
  const stops = Array.from({ length: 11 }, (_, i) => {
    const share = i / 10
    return `<stop offset="${share}" stop-color="${colorOf(share)}"/>`
  })
  const [low, high] = rangeOf(sizesOf(model.layers).map((n) => distances[n]!))
  const [first, last] =
    scale === 'row'
      ? ['smallest of row', width < ROOMY ? 'largest' : 'largest but for start 0']
      : [formatDistance(low), formatDistance(high)]
  // no text is measured here: wide enough for the words in any usual font
  const barLeft = left + (scale === 'row' ? 102 : 48)
  return [
    `<defs><linearGradient id="lp-shades">${stops.join('')}</linearGradient></defs>`,
    `<text class="lp-quiet" x="${barLeft - 8}" y="${px(top + 9)}" text-anchor="end">${first}</text>`,
    `<rect x="${barLeft}" y="${px(top)}" width="${bar}" height="10" fill="url(#lp-shades)"/>`,
    `<text class="lp-quiet" x="${barLeft + bar + 8}" y="${px(top + 9)}">${last}</text>`,
    `<text class="lp-quiet" x="${width - (width < NARROW ? 8 : 24)}" y="${px(top + 9)}" text-anchor="end">` +
      `● best${width < NARROW ? '' : ' of each row'}</text>`,
  ]
}

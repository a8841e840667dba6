import { scaleLinear } from 'd3-scale'
import { formatEstimate } from '../../base/format-numbers.js'
import { nameLayers } from '../../model/layers/names.js'
import { describeMetric, type Metric } from '../../results/documents/metrics.js'
import type { ScoredBlock } from '../../results/documents/similarity-result.js'
import { paint } from './color.js'

/** A chart of about a hundred points gains nothing from more width. */
const MAX_WIDTH = 100
const MIN_COLUMNS = 16
const TICKS = 4
/** A Braille character is a cell of 2 x 4 dots; bit of each, by column and row. */
const DOT_BITS = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
]
const DOTS_ACROSS = 2
const DOTS_DOWN = 4

/**
 * Line chart of distance by the first layer removed, drawn in Braille dots, the best block marked.
 * @param width  columns of the window
 * @returns lines without a final newline
 */
export function drawChart(
  blocks: ScoredBlock[],
  best: ScoredBlock,
  { width = 80, color = false, metric = 'angular' as Metric } = {},
): string {
  const { y, labels, rows } = scaleDistances(blocks)
  const labelWidth = Math.max(...[...labels.values()].map((label) => label.length))
  const columns = Math.max(MIN_COLUMNS, Math.min(width, MAX_WIDTH) - labelWidth - 2)
  const x = scaleStarts(blocks, columns)
  const grid = plotLine(
    blocks.map(({ start, distance }) => [Math.round(x(start)), Math.round(y(distance))]),
    rows,
    columns,
  )
  const bestColumn = Math.floor(Math.round(x(best.start)) / DOTS_ACROSS)
  const bestRow = Math.floor(Math.round(y(best.distance)) / DOTS_DOWN)
  const lines = grid.map((cells, row) => {
    const drawn = cells.map((bits, column) =>
      row === bestRow && column === bestColumn
        ? paint('green', '●', color)
        : bits === 0
          ? ' '
          : String.fromCodePoint(0x2800 + bits),
    )
    const label = labels.get(row)
    return `${(label ?? '').padStart(labelWidth)} ${label === undefined ? '│' : '┤'}${drawn.join('').trimEnd()}`
  })
  const title = `${paint('green', '●', color)} ${nameLayers(best)}: ${formatEstimate(best.distance, best.standardError)}`
  const axis = drawStartAxis(blocks, columns, x).map(
    (line, i) => `${' '.repeat(labelWidth)} ${i === 0 ? '└' : ' '}${line}`,
  )
  return [
    `${describeMetric(metric).title} by first layer removed`,
    ...lines,
    ...axis,
    `${' '.repeat(labelWidth)}  ${title}`,
  ].join('\n')
}

type DotScale = ReturnType<typeof scaleLinear<number, number>>

/** Maps distances to dots from the top, with a tick in the middle of every few rows. */
function scaleDistances(blocks: ScoredBlock[]): { y: DotScale; labels: Map<number, string>; rows: number } {
  const distances = blocks.map(({ distance }) => distance)
  const [low, high] = [Math.min(...distances), Math.max(...distances)]
  const y = scaleLinear().domain(low < high ? [low, high] : [low - 0.01, high + 0.01])
  const ticks = y.nice(TICKS).ticks(TICKS).reverse()
  const spacing = ticks.length > 4 ? 2 : 3
  const lastRow = (ticks.length - 1) * spacing
  const labelOf = y.tickFormat(TICKS)
  return {
    y: y.range([lastRow * DOTS_DOWN + 1, 1]),
    labels: new Map(ticks.map((tick, i) => [i * spacing, labelOf(tick)])),
    rows: lastRow + 1,
  }
}

function scaleStarts(blocks: ScoredBlock[], columns: number): DotScale {
  const [first, last] = [blocks[0]!.start, blocks.at(-1)!.start]
  const lastDot = columns * DOTS_ACROSS - 1
  return first === last
    ? scaleLinear([first, last], [lastDot / 2, lastDot / 2])
    : scaleLinear([first, last], [0, lastDot])
}

/** Cells by row and column, each the bits of the dots that the line through all points sets. */
function plotLine(points: [x: number, y: number][], rows: number, columns: number): number[][] {
  const grid = Array.from({ length: rows }, () => new Array<number>(columns).fill(0))
  let [lastX, lastY] = points[0]!
  for (const [x, y] of points) {
    const steps = Math.max(Math.abs(x - lastX), Math.abs(y - lastY), 1)
    for (let step = 0; step <= steps; step++) {
      const dotX = Math.round(lastX + ((x - lastX) * step) / steps)
      const dotY = Math.round(lastY + ((y - lastY) * step) / steps)
      const column = Math.floor(dotX / DOTS_ACROSS)
      grid[Math.floor(dotY / DOTS_DOWN)]![column]! |= DOT_BITS[dotX % DOTS_ACROSS]![dotY % DOTS_DOWN]!
    }
    ;[lastX, lastY] = [x, y]
  }
  return grid
}

/** The rule under the chart with its ticks, and the start layers beneath. */
function drawStartAxis(blocks: ScoredBlock[], columns: number, x: DotScale): [rule: string, labels: string] {
  const rule = new Array<string>(columns).fill('─')
  let labels = ''
  const [first, last] = [blocks[0]!.start, blocks.at(-1)!.start]
  const ticks = first === last ? [first] : x.ticks(Math.min(blocks.length, Math.floor(columns / 6)))
  for (const tick of ticks.filter(Number.isInteger)) {
    const column = Math.floor(Math.round(x(tick)) / DOTS_ACROSS)
    const label = String(tick)
    const from = Math.min(column, columns - label.length)
    if (labels !== '' && from <= labels.length) continue
    rule[column] = '┬'
    labels = labels.padEnd(from) + label
  }
  return [rule.join(''), labels]
}

import { nameLayers } from '../../model/layers/names.js'
import { describeMetric } from '../../results/documents/metrics.js'
import { findBestBlock } from '../../results/documents/result-views.js'
import type { SimilarityResult } from '../../results/documents/similarity-result.js'
import { colorOf, placeOn, rangeOf } from '../../results/report/heat-shades.js'
import { paint, paintRgb } from './color.js'

/** From the largest distance of a row to its smallest. */
const SHADES = [' ', '░', '▒', '▓', '█']
const MAX_LINES = 40
/** Colours on viridis: the best block of each size, and that of the requested size. */
const BEST = '#d55e00'
const CHOSEN = '#ffffff'

type Mapped = Pick<SimilarityResult, 'model' | 'metric' | 'distances' | 'layersToSkip'>

interface Cell {
  /** From 0, the smallest distance of its row, to 1. */
  place: number
  isBest: boolean
}

interface Row {
  /** Size of its blocks. */
  n: number
  cells: Cell[]
}

interface Layout {
  step: number
  cellWidth: number
  labelWidth: number
  layersToSkip: number
}

/**
 * Map of every block: one row per size, one column per first layer; the less the residual stream rotates compared
 * with the other blocks of the same size, the fuller or brighter the cell. The best block of each size is marked.
 * @param width  columns of the window; if the model has more layers, only every second or third is shown
 * @param truecolor  whether cells are coloured half blocks, two rows per line
 * @returns lines without a final newline
 */
export function drawBlockMap(result: Mapped, { width = 80, color = false, truecolor = false } = {}): string {
  const { model, metric, layersToSkip, distances } = result
  const labelWidth = String(model.layers - 1).length
  const room = Math.max(1, width - labelWidth - 2)
  const step = Math.ceil(model.layers / room)
  const cellWidth = step === 1 && room >= 2 * model.layers ? 2 : 1
  const layout = { step, cellWidth, labelWidth, layersToSkip }
  const rows = chooseRows(result, step, truecolor ? 2 * MAX_LINES : MAX_LINES)
  const best = nameLayers(findBestBlock(distances, layersToSkip))
  const legend = truecolor
    ? `${paintRgb('■', BEST)} best of each size, ${paintRgb('■', CHOSEN)} ${best}`
    : `● best of each size, ${paint('green', '>', color)} ${best}`
  return [
    `layers removed, by first layer removed; ${truecolor ? 'brighter' : 'fuller'} cells: the block ${describeMetric(metric).verb} the stream less`,
    ...(truecolor ? drawHalfBlocks(rows, layout) : drawShades(rows, layout, color)),
    `${' '.repeat(labelWidth)} └${drawAxis(model.layers, layout)}`,
    `${' '.repeat(labelWidth)}  ${legend}`,
  ].join('\n')
}

/** Rows from the largest size down, always with single layers and the requested size. */
function chooseRows({ model, distances, layersToSkip }: Mapped, step: number, most: number): Row[] {
  const { layers } = model
  const rowStep = Math.max(step, Math.ceil((layers - 1) / most))
  return Array.from({ length: layers - 1 }, (_, i) => layers - 1 - i)
    .filter((n) => n === layersToSkip || n % rowStep === 0 || n === 1)
    .map((n) => {
      const row = distances[n]!
      const range = rangeOf([row])
      const { start: best } = findBestBlock(distances, n)
      const cells = Array.from({ length: Math.ceil(row.length / step) }, (_, column) => ({
        place: placeOn(range, Math.min(...row.slice(column * step, (column + 1) * step))),
        isBest: best >= column * step && best < (column + 1) * step,
      }))
      return { n, cells }
    })
}

function drawShades(rows: Row[], { cellWidth, ...layout }: Layout, color: boolean): string[] {
  return rows.map(({ n, cells }) => {
    const drawn = cells.map(({ place, isBest }) =>
      isBest
        ? paint('green', '●'.padEnd(cellWidth), color)
        : SHADES[Math.round((1 - place) * (SHADES.length - 1))]!.repeat(cellWidth),
    )
    return `${drawLabel([n], layout, color)}${drawn.join('').trimEnd()}`
  })
}

/** Two rows per line: half blocks, the upper row as foreground and the lower as background. */
function drawHalfBlocks(rows: Row[], { cellWidth, ...layout }: Layout): string[] {
  const padded = rows.length % 2 === 0 ? rows : [undefined, ...rows]
  return Array.from({ length: padded.length / 2 }, (_, line) => {
    const upper = padded[2 * line]
    const lower = padded[2 * line + 1]!
    const colorIn = ({ n, cells }: Row, column: number) => {
      const cell = cells[column]
      if (cell === undefined) return undefined
      if (!cell.isBest) return colorOf(cell.place)
      return n === layout.layersToSkip ? CHOSEN : BEST
    }
    const drawn = lower.cells.map((_, column) => {
      const [above, below] = [upper && colorIn(upper, column), colorIn(lower, column)!]
      return above === undefined
        ? paintRgb('▄'.repeat(cellWidth), below)
        : paintRgb('▀'.repeat(cellWidth), above, below)
    })
    const sizes = upper === undefined ? [lower.n] : [upper.n, lower.n]
    return `${drawLabel(sizes, layout, true)}${drawn.join('')}`
  })
}

/** The size of a line's first row, marked if the requested size is among its rows. */
function drawLabel(
  sizes: number[],
  { labelWidth, layersToSkip }: Pick<Layout, 'labelWidth' | 'layersToSkip'>,
  color: boolean,
): string {
  const mark = sizes.includes(layersToSkip) ? paint('green', '>', color) : '│'
  return `${String(sizes[0]).padStart(labelWidth)} ${mark}`
}

/** Numbers of the first layers, each where its column starts. */
function drawAxis(layers: number, { step, cellWidth }: Layout): string {
  let axis = ''
  for (let start = 0; start < layers; start += 5 * step) {
    const column = (start / step) * cellWidth
    if (column > axis.length || axis === '') axis = axis.padEnd(column) + start
  }
  return axis
}

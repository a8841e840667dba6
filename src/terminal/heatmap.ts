import { describeMetric } from '../documents/metrics.js'
import { findBestBlock } from '../documents/result-views.js'
import type { SimilarityResult } from '../documents/similarity-result.js'
import { nameLayers } from '../layers/names.js'
import { paint } from './color.js'

/** From the largest distance of a row to its smallest. */
const SHADES = [' ', '░', '▒', '▓', '█']
const MAX_ROWS = 40

/**
 * Map of every block: one row per size, one column per first layer; the less the residual stream rotates compared
 * with the other blocks of the same size, the fuller the cell. The best block of each size is a dot.
 * @param width  columns of the window; if the model has more layers, only every second or third is shown
 * @returns lines without a final newline
 */
export function drawBlockMap(
  {
    model,
    metric,
    distances,
    layersToSkip,
  }: Pick<SimilarityResult, 'model' | 'metric' | 'distances' | 'layersToSkip'>,
  { width = 80, color = false } = {},
): string {
  const { layers } = model
  const labelWidth = String(layers - 1).length
  const step = Math.max(1, Math.ceil(layers / Math.max(1, width - labelWidth - 2)))
  const rowStep = Math.max(step, Math.ceil((layers - 1) / MAX_ROWS))
  const sizes = Array.from({ length: layers - 1 }, (_, i) => layers - 1 - i).filter(
    (n) => n === layersToSkip || n % rowStep === 0 || n === 1,
  )
  const cellWidth = step === 1 && width - labelWidth - 2 >= 2 * layers ? 2 : 1
  const rows = sizes.map((n) => {
    const row = distances[n]!
    const { start: best } = findBestBlock(distances, n)
    const [low, high] = [Math.min(...row), Math.max(...row)]
    const shadeOf = (distance: number) =>
      SHADES[Math.round((high > low ? (high - distance) / (high - low) : 1) * (SHADES.length - 1))]!
    const cells = Array.from({ length: Math.ceil(row.length / step) }, (_, column) => {
      const starts = row.slice(column * step, (column + 1) * step)
      return best >= column * step && best < (column + 1) * step
        ? paint('green', '●'.padEnd(cellWidth), color)
        : shadeOf(Math.min(...starts)).repeat(cellWidth)
    })
    const mark = n === layersToSkip ? paint('green', '>', color) : '│'
    return `${String(n).padStart(labelWidth)} ${mark}${cells.join('').trimEnd()}`
  })
  const best = findBestBlock(distances, layersToSkip)
  return [
    `layers removed, by first layer removed; fuller cells: the block ${describeMetric(metric).verb} the stream less`,
    ...rows,
    `${' '.repeat(labelWidth)} └${drawAxis(layers, step, cellWidth)}`,
    `${' '.repeat(labelWidth)}  ● best of each size, ${paint('green', '>', color)} ${nameLayers(best)}`,
  ].join('\n')
}

/** Numbers of the first layers, each where its column starts. */
function drawAxis(layers: number, step: number, cellWidth: number): string {
  let axis = ''
  for (let start = 0; start < layers; start += 5 * step) {
    const column = (start / step) * cellWidth
    if (column > axis.length || axis === '') axis = axis.padEnd(column) + start
  }
  return axis
}

import { describe, expect, it } from 'vitest'
import { drawHeatMap, frameHeatMap } from '../../../src/results/report/heatmap-svg.js'
import { allSizesResult } from '../../support/similarity-example.js'

const textsOf = (svg: string) => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map((match) => match[1])

/** Fill of each cell, by the place of its upper left corner. */
function cellsOf(svg: string): Map<string, string> {
  const cells = new Map<string, string>()
  for (const [, fill, path] of svg.matchAll(/class="lp-cells"[^>]* fill="([^"]+)" d="([^"]+)"/g)) {
    for (const [, x, y] of path!.matchAll(/M([\d.]+) ([\d.]+)/g)) cells.set(`${x} ${y}`, fill!)
  }
  return cells
}

const tenth = (value: number) => String(Math.round(value * 10) / 10)
const LOWEST = '#fde725'
const HIGHEST = '#440154'

describe('drawHeatMap', () => {
  it('names model, dataset, axes and the best block', () => {
    const svg = drawHeatMap(allSizesResult(12, 4, (start) => Math.abs(start - 6)))
    expect(textsOf(svg).filter((text) => !/^\d+$/.test(text!))).toEqual([
      'Angular distance of every block',
      'layers 6..9: 0.0400',
      'models/small (12 layers, fp32)',
      'data/texts.jsonl: 128 texts, last token of each',
      'first layer removed, 0-based',
      'layers removed',
      'smallest of row',
      'largest but for start 0',
      '● best of each row',
    ])
    expect(svg).toContain('@media (prefers-color-scheme:dark)')
    expect(svg).toMatch(/<title>[^<]*smallest for 4 layers: layers 6\.\.9, 0\.0400<\/title>/)
  })

  it.each([2, 3, 12, 30, 80, 126])('draws every block of a model of %i layers inside its frame', (layers) => {
    for (const options of [{}, { scale: 'absolute' as const }, { width: 340, heading: false }]) {
      const svg = drawHeatMap(
        allSizesResult(layers, 1, (start) => (start * 7) % 5),
        options,
      )
      expect(svg).not.toMatch(/NaN|Infinity|undefined|null/)
      const frame = frameHeatMap(layers, options)
      const cells = cellsOf(svg)
      expect(cells.size).toBe((layers * (layers + 1)) / 2 - 1)
      const outside = [...cells.keys()].filter((place) => {
        const [x, y] = place.split(' ').map(Number) as [number, number]
        const { left, width, bottom, cellWidth, cellHeight } = frame
        return x < left || x + cellWidth > width + 0.1 || y < 30 || y + cellHeight > bottom + 0.1
      })
      expect(outside).toEqual([])
      expect(svg.match(/class="lp-best-of-size"/g)).toHaveLength(layers - 1)
      const sides = [...svg.matchAll(/text-anchor="middle">(\d+)</g)].map(([, start]) => Number(start))
      expect(sides.every((start) => start < layers)).toBe(true)
    }
  })

  it('gives the brightest colour to the best block of each row, and marks it', () => {
    const best = (n: number) => (n * 5) % (12 - n + 1)
    const result = allSizesResult(12, 4, (start, n) => Math.abs(start - best(n)))
    const svg = drawHeatMap(result)
    const { left, bottom, cellWidth, cellHeight } = frameHeatMap(12)
    const cells = cellsOf(svg)
    const marks = [...svg.matchAll(/class="lp-best-of-size" cx="([\d.]+)" cy="([\d.]+)"/g)]
    for (let n = 1; n < 12; n++) {
      const corner = `${tenth(left + best(n) * cellWidth)} ${tenth(bottom - n * cellHeight)}`
      expect(cells.get(corner)).toBe(LOWEST)
      expect(marks[n - 1]![1]).toBe(tenth(left + (best(n) + 0.5) * cellWidth))
      expect(marks[n - 1]![2]).toBe(tenth(bottom - (n - 0.5) * cellHeight))
    }
    const chosen = `translate(${tenth(left + best(4) * cellWidth - 1.5)} ${tenth(bottom - 4 * cellHeight - 1.5)})`
    expect(svg).toContain(`class="lp-chosen" fill="none" transform="${chosen}"`)
  })

  it.each([{}, { width: 580, heading: false }])('leaves no line between cells of 80 layers, %j', (options) => {
    const svg = drawHeatMap(
      allSizesResult(80, 20, (start) => Math.abs(start - 30)),
      options,
    )
    const cells = [...svg.matchAll(/M([\d.]+) ([\d.]+)H([\d.]+)V([\d.]+)H([\d.]+)z/g)].map((cell) => cell.slice(1))
    const corners = new Set(cells.map(([x, y]) => `${x} ${y}`))
    const { left, bottom } = frameHeatMap(80, options)
    for (const [x0, y0, x1, y1] of cells) {
      // the cell to the left and the one below begin exactly where this one ends
      expect(Number(x0) === left || cells.some(([, y, end]) => y === y0 && end === x0)).toBe(true)
      expect(y1 === tenth(bottom) || corners.has(`${x0} ${y1}`)).toBe(true)
      expect(Number(x1)).toBeGreaterThan(Number(x0))
    }
  })

  it('leaves blocks from layer 0 on off the scale, in the colour of the largest', () => {
    const svg = drawHeatMap(allSizesResult(12, 4, (start) => (start === 0 ? 60 : Math.abs(start - 6))))
    const { left, bottom, cellHeight, cellWidth } = frameHeatMap(12)
    const cells = cellsOf(svg)
    const at = (start: number) => cells.get(`${tenth(left + start * cellWidth)} ${tenth(bottom - 4 * cellHeight)}`)
    expect([at(0), at(1), at(6)]).toEqual([HIGHEST, HIGHEST, LOWEST])
    expect(new Set([1, 2, 3, 4, 5, 6].map(at)).size).toBe(6)
  })

  it('gives one scale to all rows if asked to', () => {
    const svg = drawHeatMap(
      allSizesResult(6, 2, (start, n) => start + 10 * n),
      { scale: 'absolute' },
    )
    const fills = [...cellsOf(svg).values()]
    expect(fills.filter((fill) => fill === LOWEST)).toHaveLength(1)
    expect(fills.filter((fill) => fill === HIGHEST)).toHaveLength(1)
    expect(textsOf(svg)).toEqual(expect.arrayContaining(['0.1100', '0.5600']))
  })
})

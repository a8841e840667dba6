import { describe, expect, it } from 'vitest'
import { drawChart } from '../../../src/cli/terminal/chart.js'
import { exampleResult } from '../../support/similarity-example.js'

const chartOf = (distances: number[], options?: { width?: number; color?: boolean }) => {
  const { blocks, best } = exampleResult(distances)
  return drawChart(blocks, best, options)
}
const valley = (count: number) => Array.from({ length: count }, (_, i) => 0.1 + 0.8 * (i / count - 0.6) ** 2)

describe('drawChart', () => {
  it('draws the line, the best block and both axes', () => {
    expect(chartOf([0.5, 0.3, 0.1, 0.2, 0.4], { width: 40 })).toBe(
      [
        'angular distance by first layer removed',
        '0.5 ┤⠢⡀',
        '    │ ⠈⠢⡀',
        '0.4 ┤   ⠈⠒⢄                           ⢀⠔',
        '    │      ⠑⢄                       ⢀⠔⠁',
        '0.3 ┤        ⠑⢄                   ⡠⠒⠁',
        '    │          ⠑⠢⡀              ⡠⠊',
        '0.2 ┤            ⠈⠢⡀        ⢀⡠⠔⠊',
        '    │              ⠈⠒⢄  ⢀⡠⠔⠊⠁',
        '0.1 ┤                 ●⠊⠁',
        '    └┬───────┬────────┬────────┬───────┬',
        '     0       1        2        3       4',
        '     ● layers 2..9: 0.1000 ± 0.0009',
      ].join('\n'),
    )
  })

  it.each([
    [1, 80],
    [2, 80],
    [12, 80],
    [12, 30],
    [126, 80],
    [126, 40],
    [126, 300],
  ])('fits %i points into a window of %i columns, one of them the best', (count, width) => {
    const lines = chartOf(valley(count), { width }).split('\n')
    const plot = lines.slice(1, -3)
    expect(plot.every((line) => line.length <= width)).toBe(true)
    expect(plot.join('').match(/●/g)).toHaveLength(1)
    expect(plot.at(-1)).toMatch(/^ *\d+\.\d+ ┤/)
    const labels = plot.flatMap((line) => /^ *(\d+\.\d+) ┤/.exec(line)?.[1] ?? []).map(Number)
    expect(labels.length).toBeGreaterThanOrEqual(3)
    expect(labels).toEqual([...labels].sort((a, b) => b - a))
    expect(lines.at(-3)!.length).toBeLessThanOrEqual(width)
  })

  it('marks the best start above its place on the axis', () => {
    const lines = chartOf(valley(126), { width: 100 }).split('\n')
    const bestLine = lines.slice(1, -3).find((line) => line.includes('●'))!
    const labels = lines.at(-2)!
    // starts 70 and 80 are labelled, the best is 76
    expect(bestLine.indexOf('●')).toBeGreaterThan(labels.indexOf('70'))
    expect(bestLine.indexOf('●')).toBeLessThan(labels.indexOf('80'))
    expect(lines.at(-1)).toContain('layers 76..83')
  })

  it('draws equal distances as a level line', () => {
    const lines = chartOf([0.2, 0.2, 0.2], { width: 40 }).split('\n')
    expect(lines.filter((line) => /[\u2800-\u28ff]/.test(line))).toHaveLength(1)
    expect(lines.find((line) => line.includes('●'))).toMatch(/^0\.200 ┤●/)
  })

  it('is plain without colour', () => {
    expect(chartOf(valley(12))).not.toContain('\u001b')
    expect(chartOf(valley(12), { color: true })).toContain('\u001b[32m●\u001b[39m')
  })
})

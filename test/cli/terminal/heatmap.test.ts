import { describe, expect, it } from 'vitest'
import { cleanPainted } from '../../../src/cli/terminal/color.js'
import { displayWidth } from '../../../src/cli/terminal/display-width.js'
import { drawBlockMap } from '../../../src/cli/terminal/heatmap.js'
import { allSizesResult } from '../../support/similarity-example.js'

describe('drawBlockMap', () => {
  it('draws every block, fuller where the stream rotates less, the best of each size as a dot', () => {
    const result = allSizesResult(6, 2, (start) => Math.abs(start - 3))
    expect(drawBlockMap(result, { width: 40 })).toBe(
      [
        'layers removed, by first layer removed; fuller cells: the block rotates the stream less',
        '5 │  ●',
        '4 │    ●',
        '3 │    ▒▒●',
        '2 >    ▒▒● ▒▒',
        '1 │    ▒▒● ▒▒',
        '  └0         5',
        '   ● best of each size, > layers 3..4',
      ].join('\n'),
    )
  })

  it('colours half blocks on a terminal with truecolor, two sizes per line, the lower one alone if they are odd', () => {
    const result = allSizesResult(4, 2, (start) => Number(start === 0 || start === 3))
    const [bright, dark] = ['253;231;37', '68;1;84']
    const [best, chosen] = ['213;94;0', '255;255;255']
    const half = (upper: string, lower: string) => `\u001b[48;2;${lower}m\u001b[38;2;${upper}m▀▀\u001b[39m\u001b[49m`
    const lower = (color: string) => `\u001b[38;2;${color}m▄▄\u001b[39m`
    const map = drawBlockMap(result, { width: 40, color: true, truecolor: true })
    expect(cleanPainted(map)).toBe(map)
    expect(map.split('\n').slice(1, -2)).toEqual([
      `3 │${lower(dark)}${lower(best)}`,
      `2 \u001b[32m>\u001b[39m${half(dark, dark)}${half(chosen, best)}${half(bright, bright)}${lower(dark)}`,
    ])
  })

  it.each([
    [2, 80],
    [12, 80],
    [32, 40],
    [126, 80],
    [126, 30],
  ])('fits %i layers in a window of %i columns, with the row of the block that was asked for', (layers, width) => {
    const size = Math.max(1, Math.floor(layers / 4))
    const map = drawBlockMap(
      allSizesResult(layers, size, (start) => (start * 7) % 13),
      { width },
    )
    const rows = map.split('\n').slice(1, -2)
    expect(rows.length).toBeLessThanOrEqual(43)
    expect(Math.max(...rows.map(displayWidth))).toBeLessThanOrEqual(width)
    expect(rows.filter((row) => row.includes('>')).map((row) => Number(row.split('>')[0]))).toEqual([size])
    for (const row of rows) expect(row.match(/●/g)).toHaveLength(1)
  })
})

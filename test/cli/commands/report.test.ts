import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { drawHeatMap } from '../../../src/results/report/heatmap-svg.js'
import { LLAMA, TEXTS } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'
import { allSizesResult } from '../../support/similarity-example.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const cwd = makeTempFolder()
const result = allSizesResult(12, 4, (start) => Math.abs(start - 6))
writeFileSync(join(cwd, 'similarity.json'), JSON.stringify(result))

describe('report', () => {
  it('writes a page that stands alone', async () => {
    const { exitCode, stdout, stderr } = await runProgram(['report', 'similarity.json'], { cwd })
    expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: '', stderr: 'wrote report.html\n' })
    const page = readFileSync(join(cwd, 'report.html'), 'utf8')
    expect(page).toMatch(/^<!doctype html>/)
    expect(page).toContain('Nearest block: layers 6..9')
  })

  it('says in its slices that mergekit would make another model', async () => {
    const olmo = { ...result, model: { ...result.model, family: 'olmo' } }
    writeFileSync(join(cwd, 'olmo.json'), JSON.stringify(olmo))
    const { stdout } = await runProgram(['report', 'olmo.json', '-o', '-'], { cwd })
    expect(stdout).toMatch(
      /# mergekit [\d.]+ has no architecture file for olmo, .*\n# layerprune prune makes this cut\n/,
    )
  })

  it('says which file it cannot show', async () => {
    writeFileSync(join(cwd, 'other.json'), '{"schema":"other/1"}')
    const { exitCode, stderr } = await runProgram(['report', 'similarity.json', 'other.json', '-o', 'no.html'], {
      cwd,
    })
    expect(exitCode).toBe(1)
    expect(stderr).toContain('error: other.json is not a saved result')
    expect(existsSync(join(cwd, 'no.html'))).toBe(false)
  })
})

describe('plot', () => {
  const plot = (...args: string[]) => runProgram(['plot', '--from', 'similarity.json', ...args], { cwd })

  it('draws a heat map as PNG, the best block bright', async () => {
    const { exitCode, stdout, stderr } = await plot('-o', 'map.png', '--kind', 'heatmap')
    expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: '', stderr: 'wrote map.png\n' })
    const picture = sharp(join(cwd, 'map.png'))
    const { width, height } = await picture.metadata()
    const svg = drawHeatMap(result)
    const [, svgWidth, svgHeight] = /viewBox="0 0 ([\d.]+) ([\d.]+)"/.exec(svg)!.map(Number)
    expect([width, height]).toEqual([2 * svgWidth!, Math.round(2 * svgHeight!)])
    const [, x, y] = /fill="#fde725" d="M([\d.]+) ([\d.]+)/.exec(svg)!.map(Number)
    const place = { left: Math.round(2 * x! + 6), top: Math.round(2 * y! + 6), width: 1, height: 1 }
    expect([...(await picture.extract(place).removeAlpha().raw().toBuffer())]).toEqual([0xfd, 0xe7, 0x25])
  })

  it('draws letters in a container without fonts', async () => {
    writeFileSync(join(cwd, 'fonts.conf'), '<fontconfig><dir>/nowhere</dir></fontconfig>')
    const bare = { FONTCONFIG_FILE: join(cwd, 'fonts.conf') }
    const args = ['plot', '--from', 'similarity.json', '-o', 'bare.png']
    const { exitCode } = await runProgram(args, { cwd, env: bare })
    expect(exitCode).toBe(0)
    // the heading, whose first letters are "Ang": a capital A has a narrow top, and a missing letter's box a wide one
    const heading = { left: 40, top: 30, width: 24, height: 30 }
    const { data, info } = await sharp(join(cwd, 'bare.png'))
      .extract(heading)
      .greyscale()
      .raw()
      .toBuffer({ resolveWithObject: true })
    const inked = Array.from(
      { length: info.height },
      (_, y) => [...data.subarray(y * info.width, (y + 1) * info.width)].filter((value) => value < 128).length,
    ).filter((count) => count > 0)
    expect(inked[0]).toBeLessThan(inked.at(-1)!)
  })

  it('draws the curve of another size as SVG', async () => {
    const { exitCode } = await plot('-o', 'curve.svg', '--layers-to-skip', '2')
    expect(exitCode).toBe(0)
    expect(readFileSync(join(cwd, 'curve.svg'), 'utf8')).toContain('layers 6..7: 0.0200')
  })

  it.each([
    [['-o', 'plot.gif'], 'plot.gif is not a plot file: expected a name that ends in .svg or .png'],
    [['-o', 'plot.svg', '--scale', 'row'], '--scale requires --kind heatmap'],
    [['-o', 'plot.svg', '--layers-to-skip', '12'], 'layers to skip must be 1 to 11'],
    [['-o', 'plot.svg', '--kind', 'perplexity', '--layers-to-skip', '2'], '--layers-to-skip cannot be combined with'],
  ])('refuses %j', async (args, message) => {
    const { exitCode, stderr } = await plot(...args)
    expect(exitCode).toBe(2)
    expect(stderr).toContain(message)
  })
})

describe('similarity', () => {
  const measure = (...args: string[]) =>
    runProgram(['similarity', '--model', LLAMA, '--dataset', TEXTS, '--layers-to-skip', '1', '--quiet', ...args], {
      cwd,
    })

  it('draws the map of all blocks to files and to the report', async () => {
    const plots = ['--plot', 'made/here/a.svg', '--plot', 'a.png']
    const { exitCode, stdout } = await measure('--heatmap', ...plots)
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(
      /^model .*\n.*\n.*\n\nlayers removed, by first layer removed; fuller cells: the block rotates the stream less\n2 │/,
    )
    expect(readFileSync(join(cwd, 'made/here/a.svg'), 'utf8')).toContain('Angular distance of every block')
    expect((await sharp(join(cwd, 'a.png')).metadata()).width).toBe(1520)
  })

  it('refuses the name of a plot before it measures', async () => {
    const { exitCode, stderr } = await measure('--plot', 'a.jpg')
    expect(exitCode).toBe(2)
    expect(stderr).toContain('a.jpg is not a plot file')
  })
})

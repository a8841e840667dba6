import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { formatSliceConfig } from '../../src/results/mergekit.js'
import { renderPage } from '../../src/results/report/page.js'
import { allSizesResult } from '../support/similarity-example.js'
import { makeTempFolder } from '../support/temp-folder.js'
import { type Browser, openPage } from './browser.js'
import { chromium, describeWithChromium } from './needs.js'

describeWithChromium('the page in a browser', () => {
  const folder = makeTempFolder()
  let page: Browser
  const text = (selector: string) => page.evaluate(`document.querySelector('${selector}').textContent`)

  beforeAll(async () => {
    const result = allSizesResult(12, 4, (start, n) => Math.abs(start - (n === 3 ? 1 : 6)))
    const file = join(folder, 'report.html')
    writeFileSync(
      file,
      await renderPage(
        { results: [result, result], evaluations: [], plans: [] },
        { findProblem: () => undefined, findStoredDtype: () => null },
      ),
    )
    page = await openPage(chromium, pathToFileURL(file).href)
  })
  afterAll(async () => {
    await page?.close()
  })

  it('names another block when the slider asks for another size', async () => {
    expect(await text('#result-1 .headline')).toBe('Nearest block: layers 6..9')
    await page.evaluate("document.querySelector('#result-1 input').focus()")
    for (const type of ['rawKeyDown', 'keyUp']) {
      await page.send('Input.dispatchKeyEvent', {
        type,
        key: 'ArrowLeft',
        code: 'ArrowLeft',
        windowsVirtualKeyCode: 37,
      })
    }
    expect(await text('#result-1 output')).toBe('3')
    expect(await text('#result-1 .headline')).toBe('Nearest block: layers 1..3')
    const goes =
      "[...document.querySelectorAll('#result-1 .verdict i')].map((cell) => Number(cell.matches('.goes'))).join('')"
    expect(await page.evaluate(goes)).toBe('011100000000')
    const chosen = "document.querySelector('#result-1 .curve .chosen').dataset.start"
    expect(await page.evaluate(chosen)).toBe('1')
    expect(await text('#result-1 .curve .name')).toBe('layers 1..3: 0.0300')
    expect(await page.evaluate("document.querySelectorAll('#result-1 tbody tr').length")).toBe(10)
    expect(await text('#result-1 tbody .best')).toBe('1..3140.03000.0010')
    expect(await text('#result-2 .headline')).toBe('Nearest block: layers 6..9')
  })

  it('copies the slices that it shows', async () => {
    const copied = await page.evaluate(`(async () => {
      const button = document.querySelector('#result-1 .yaml .copy')
      let copied
      navigator.clipboard.writeText = async (text) => { copied = text }
      button.click()
      await new Promise((resolve) => setTimeout(resolve, 50))
      return { copied, label: button.textContent }
    })()`)
    const removed = [{ start: 1, end: 4 }]
    const yaml = formatSliceConfig({ model: 'models/small', layers: 12, removed, dtype: 'bfloat16' })
    expect(copied).toEqual({ copied: yaml, label: 'Copied' })
  })

  it('tells the cell of the heat map by keyboard and pointer, and takes its size', async () => {
    const told = await page.evaluate(`(() => {
      const map = document.querySelector('#result-2 .map.wide')
      const press = (key) => map.dispatchEvent(new KeyboardEvent('keydown', { key, cancelable: true }))
      const told = []
      for (const key of ['ArrowRight', 'ArrowUp', 'ArrowLeft']) {
        press(key)
        told.push(document.querySelector('#result-2 .readout').textContent)
      }
      press('Enter')
      return [...told, document.querySelector('#result-2 output').textContent]
    })()`)
    expect(told).toEqual([
      'layers 7..10 (4 of 12): 0.0500 ± 0.0010',
      'layers 7..11 (5 of 12): 0.0600 ± 0.0010',
      'layers 6..10 (5 of 12): 0.0500 ± 0.0010',
      '5',
    ])
    const pointed = await page.evaluate(`(() => {
      const map = document.querySelector('#result-2 .map.wide')
      const { left, bottom, cellWidth, cellHeight, width } = JSON.parse(map.dataset.frame)
      const box = map.querySelector('svg').getBoundingClientRect()
      const scale = box.width / width
      map.dispatchEvent(new PointerEvent('pointermove', {
        clientX: box.left + scale * (left + 2.5 * cellWidth),
        clientY: box.top + scale * (bottom - 0.5 * cellHeight),
      }))
      return document.querySelector('#result-2 .readout').textContent
    })()`)
    expect(pointed).toBe('layer 2 (1 of 12): 0.0500 ± 0.0010')
  })

  it('tells the block of the curve under the pointer, beside it', async () => {
    const told = await page.evaluate(`(() => {
      const curve = document.querySelector('#result-2 .curve')
      const dot = curve.querySelectorAll('.dot')[3]
      const box = curve.querySelector('svg').getBoundingClientRect()
      const clientX = box.left + Number(dot.getAttribute('cx')) + 2
      curve.dispatchEvent(new PointerEvent('pointermove', { clientX, clientY: box.top + 50 }))
      const tip = curve.parentElement.querySelector('.tip')
      const gap = Math.abs(tip.getBoundingClientRect().left - clientX)
      curve.dispatchEvent(new PointerEvent('pointerleave'))
      return { text: tip.textContent, isNear: gap < 40, isGone: tip.hidden }
    })()`)
    expect(told).toEqual({ text: 'layers 3..7 (5 of 12): 0.0800 ± 0.0010', isNear: true, isGone: true })
  })

  it.each(['.curve', '.map'])('saves the picture of %s as SVG and PNG, with its colours', async (part) => {
    const saved = await page.evaluate(`(async () => {
      const figure = document.querySelector('#result-1 ${part}').closest('figure')
      const saved = []
      const createUrl = URL.createObjectURL
      URL.createObjectURL = (blob) => { saved.push(blob); return 'data:,' }
      const names = []
      HTMLAnchorElement.prototype.click = function () { names.push(this.download) }
      for (const button of figure.querySelectorAll('.save button')) {
        button.click()
        while (names.length < saved.length || saved.length === 0 || names.length === 0) {
          await new Promise((resolve) => requestAnimationFrame(resolve))
        }
      }
      while (names.length < 2) await new Promise((resolve) => requestAnimationFrame(resolve))
      URL.createObjectURL = createUrl
      const [svg, png] = saved
      const text = await svg.text()
      const bitmap = await createImageBitmap(png)
      const width = Number(/ width="([\\d.]+)"/.exec(text)[1])
      return { names, text, ratio: bitmap.width / width }
    })()`)
    const name = part === '.curve' ? 'curve' : 'heatmap'
    expect(saved.names).toEqual([`small-angular-1-${name}.svg`, `small-angular-1-${name}.png`])
    expect(saved.ratio).toBeCloseTo(2, 2)
    expect(saved.text).toMatch(/^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/)
    expect(saved.text).toContain('rgb(')
    expect(saved.text).not.toMatch(/<style>|var\(--/)
  })

  it('fits a phone, and writes no error to the console', async () => {
    await page.send('Emulation.setDeviceMetricsOverride', {
      width: 390,
      height: 800,
      deviceScaleFactor: 1,
      mobile: true,
    })
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390)
    expect(page.errors).toEqual([])
  })
})

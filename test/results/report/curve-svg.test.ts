import { describe, expect, it } from 'vitest'
import { drawDistanceCurve } from '../../../src/results/report/curve-svg.js'
import { exampleResult } from '../../support/similarity-example.js'

const textsOf = (svg: string) => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map((match) => match[1])
const valley = (count: number) => Array.from({ length: count }, (_, i) => 0.2 + 0.3 * (i / count - 0.6) ** 2)

/** Every tag closed in its order, every attribute quoted. */
function expectWellFormed(svg: string) {
  const open: string[] = []
  const rest = svg.replace(/<(\/?)([a-z]+)((?: [\w:-]+="[^"<]*")*)(\/?)>/g, (_, closing, name, __, selfClosing) => {
    if (closing) expect(open.pop()).toBe(name)
    else if (!selfClosing) open.push(name)
    return ''
  })
  expect(open).toEqual([])
  expect(rest).not.toMatch(/[<>]/)
}

describe('drawDistanceCurve', () => {
  it('names model, dataset, axes and the best block', () => {
    const result = exampleResult([0.5, 0.2, 0.1876, 0.25], { standardError: 0.0009 })
    const svg = drawDistanceCurve(result)
    const words = textsOf(svg).filter((text) => !/^[\d.]+$/.test(text!))
    expect(words).toEqual([
      'Angular distance across 8 layers',
      'band: ± 1.96 standard errors',
      'models/small (11 layers, fp32)',
      'data/texts.jsonl: 128 texts, last token of each',
      'first of the 8 layers removed, 0-based',
      'mean angular distance',
      'layers 2..9: 0.1876 ± 0.0009',
    ])
    expect(svg).toContain('@media (prefers-color-scheme:dark)')
    expect(svg.match(/class="lp-band"/g)).toHaveLength(1)
  })

  it.each([1, 2, 3, 12, 23, 126, 130])('draws %i points inside its frame, with whole start layers', (count) => {
    for (const standardError of [null, 0, 0.02]) {
      const svg = drawDistanceCurve(exampleResult(valley(count), { standardError }))
      expectWellFormed(svg)
      expect(svg).not.toMatch(/NaN|Infinity|undefined|null/)
      expect(svg.match(/class="lp-dot"/g)).toHaveLength(count)
      const dots = [...svg.matchAll(/class="lp-dot" cx="([\d.]+)" cy="([\d.]+)"/g)]
      for (const [, x, y] of dots) {
        expect(Number(x)).toBeGreaterThanOrEqual(68)
        expect(Number(x)).toBeLessThanOrEqual(736)
        expect(Number(y)).toBeGreaterThanOrEqual(84)
        expect(Number(y)).toBeLessThanOrEqual(380)
      }
      const starts = [...svg.matchAll(/text-anchor="middle">([\d.]+)</g)].map((match) => Number(match[1]))
      expect(starts.length).toBeGreaterThan(0)
      expect(starts.every((start) => Number.isInteger(start) && start >= 0 && start < count)).toBe(true)
    }
  })

  it('places points in proportion to their distance', () => {
    const svg = drawDistanceCurve(exampleResult([0.5, 0.4, 0.2], { standardError: null }))
    const y = [...svg.matchAll(/class="lp-dot" cx="[\d.]+" cy="([\d.]+)"/g)].map((match) => Number(match[1]))
    expect((y[2]! - y[1]!) / (y[1]! - y[0]!)).toBeCloseTo(2, 1)
  })

  it('has no band if errors are unknown', () => {
    const svg = drawDistanceCurve(exampleResult([0.5, 0.2], { standardError: null }))
    expect(svg).not.toContain('class="lp-band"')
    expect(textsOf(svg)).toContain('layers 1..8: 0.2000')
  })

  it('draws an error bar if there is only one block', () => {
    const svg = drawDistanceCurve(exampleResult([0.3], { standardError: 0.01 }))
    expect(svg).not.toContain('class="lp-band"')
    expect(svg).toContain('<line class="lp-error"')
  })

  it('escapes names, shortens long ones at their start and marks a partial result', () => {
    const result = exampleResult([0.5, 0.2], { layersToSkip: 1 })
    result.model.id = `${'x'.repeat(80)}/<A&"B"\u0007>`
    result.partial = true
    result.tokens = 'all'
    const svg = drawDistanceCurve(result)
    expectWellFormed(svg)
    expect(textsOf(svg).slice(2, 5)).toEqual([
      `…${'x'.repeat(60)}/&lt;A&amp;&quot;B&quot;\ufffd&gt; (2 layers, fp32)`,
      'PARTIAL, interrupted: data/texts.jsonl: 128 texts, all 32,768 tokens',
      '0.1',
    ])
    expect(textsOf(svg)).toContain('layer removed, 0-based')
  })
})

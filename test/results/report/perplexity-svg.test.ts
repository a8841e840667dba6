import { expect, it } from 'vitest'
import { drawPerplexities } from '../../../src/results/report/perplexity-svg.js'
import { evaluationOf } from '../../support/evaluation-example.js'

const textsOf = (svg: string) => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map((match) => match[1])

it('names the cuts by perplexity, those without a finite one last', () => {
  const svg = drawPerplexities(evaluationOf([300, null, 80]))
  const words = textsOf(svg)
  expect(words).toEqual(
    expect.arrayContaining(['Perplexity without layers', 'whole model 20.00', 'perplexity, logarithmic scale']),
  )
  expect(words.slice(-6)).toEqual(['2..9', '80.00', '0..7', '300.00', '1..8', 'not finite'])
  expect(svg.match(/class="lp-best"/g)).toHaveLength(1)
  expect(svg).toContain('data/texts.jsonl: 32 texts, 4,000 tokens scored')
})

it('places equal ratios at equal distances', () => {
  const svg = drawPerplexities(evaluationOf([40, 80, 160]))
  const x = [...svg.matchAll(/<circle[^>]* cx="([\d.]+)"/g)].map((match) => Number(match[1]))
  expect(x[2]! - x[1]!).toBeCloseTo(x[1]! - x[0]!, 0)
  const whole = Number(/class="lp-whole"[^>]* x1="([\d.]+)"/.exec(svg)![1])
  expect(x[0]! - whole).toBeCloseTo(x[1]! - x[0]!, 0)
})

it('labels powers of ten that do not touch, and writes large numbers short', () => {
  const svg = drawPerplexities(evaluationOf([61, 7_884_488, 375, 2.1e12, 123_456]))
  const ticks = [...svg.matchAll(/x="([\d.]+)" y="\d+" text-anchor="middle">([^<]*)</g)]
    .map(([, x, label]) => ({ x: Number(x), label: label! }))
    .filter(({ label }) => /^[\d.]/.test(label))
  expect(ticks.map(({ label }) => label)).toEqual(['100', '10,000', '1M', '100M', '1e+10', '1e+12'])
  for (const [i, { x }] of ticks.entries()) if (i > 0) expect(x - ticks[i - 1]!.x).toBeGreaterThanOrEqual(48)
  expect(textsOf(svg)).toEqual(expect.arrayContaining(['61.00', '375.00', '123k', '7.9M', '2.1e+12']))
})

it.each([[[]], [[null]], [[21]], [[1e9, 25]], [[1.0001]]])('stays inside its frame for %j', (perplexities) => {
  const svg = drawPerplexities(evaluationOf(perplexities))
  expect(svg).not.toMatch(/NaN|Infinity|undefined/)
  for (const [, x] of svg.matchAll(/ (?:cx|x1|x2)="([\d.-]+)"/g)) {
    expect(Number(x)).toBeGreaterThanOrEqual(150)
    expect(Number(x)).toBeLessThanOrEqual(670)
  }
})

it.each([[[1]], [[1e-300, 5e-324]], [[1.7e308, 20]], [[null]]])('draws %j without NaN', (perplexities) => {
  for (const whole of [perplexities[0] ?? 1, 1]) {
    expect(drawPerplexities(evaluationOf(perplexities, whole))).not.toMatch(/NaN|Infinity/)
  }
})

import { expect, it } from 'vitest'
import type { TaskFigures } from '../../../src/results/documents/task-result.js'
import { drawAccuracies, type MeasuredOnTasks } from '../../../src/results/report/accuracy-svg.js'

const figures = (acc: number, error: number | null = 0.02): TaskFigures => ({
  ...{ acc, standardError: { acc: error }, documents: 500, fewshot: 0 },
})
const measured = (cut: TaskFigures | null): MeasuredOnTasks => ({
  model: { id: 'SmolLM2 <135M>', layers: 30, dtype: 'fp32' },
  tasks: { arc_easy: { ...figures(0.5), acc_norm: 0.4 } },
  candidates: [{ removed: [{ start: 12, end: 20 }], tasks: { arc_easy: cut && { ...cut, difference: {} } } }],
})
const textsOf = (svg: string) => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map((match) => match[1])
const numbersOf = (svg: string, shape: string, name: string) =>
  [...svg.matchAll(new RegExp(`<${shape} [^>]*\\b${name}="([\\d.]+)"`, 'g'))].map((match) => Number(match[1]))

it('draws a bar for the whole model and each cut, as long as its accuracy, with its interval', () => {
  const svg = drawAccuracies(measured(figures(0.25)))!
  expect(textsOf(svg)).toEqual(
    expect.arrayContaining(['arc_easy, acc, 500 documents', 'none removed', '12..19', '0.5000', '0.2500']),
  )
  const [, whole, cut] = numbersOf(svg, 'rect', 'width')
  expect(cut).toBeCloseTo(whole! / 2, 5)
  const ofCut = svg.split('\n').filter((line) => line.includes('class="lp-range"'))[1]!
  const [low, high] = [numbersOf(ofCut, 'line', 'x1')[0]!, numbersOf(ofCut, 'line', 'x2')[0]!]
  expect((high - low) / whole!).toBeCloseTo((2 * 1.96 * 0.02) / 0.5, 2)
  expect((low + high) / 2).toBeCloseTo(150 + cut!, 1)
  expect(svg).toContain('SmolLM2 &lt;135M&gt; (30 layers, fp32)')
})

it('draws a group alone, each accuracy that it has, and no interval that is not known', () => {
  const { tasks, ...others } = measured(figures(1, null))
  const svg = drawAccuracies({
    ...{
      ...others,
      tasks: { mmlu: { ...figures(0.3), tasks: ['mmlu_anatomy'] }, mmlu_anatomy: figures(0.9) },
    },
    candidates: [],
  })!
  expect(textsOf(svg).filter((text) => /documents/.test(text!))).toEqual(['mmlu, acc, 500 documents'])
  expect(textsOf(drawAccuracies(measured(null))!)).toEqual(
    expect.arrayContaining(['arc_easy, acc_norm, 500 documents', 'not finite']),
  )
  expect(drawAccuracies(measured(figures(1, null)))).not.toMatch(/NaN|undefined/)
  expect(drawAccuracies({ ...others, tasks: {}, candidates: [] })).toBeNull()
})

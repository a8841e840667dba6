import { describe, expect, it } from 'vitest'
import type { PreparedTask, PreparedTasks } from '../../../src/jobs/tasks/prepare-tasks.js'
import { judgeTasks, summarizeTasks } from '../../../src/jobs/tasks/task-figures.js'

type Metrics = PreparedTask['definition']['metrics']

/** Tasks of documents of two choices, the first of which is right; of requests in the order of the documents. */
function prepare(sizes: Record<string, number>, metrics: Metrics = ['acc'], groups = {}): PreparedTasks {
  let request = 0
  const tasks = Object.entries(sizes).map(([name, size]) => ({
    definition: { name, kind: metrics.includes('perplexity') ? 'loglikelihood' : 'multiple_choice', metrics },
    examples: 0,
    documents: Array.from({ length: size }, (_, document) => ({
      origin: `${document}`,
      gold: [0],
      choiceLengths: [1, 4],
      requests: metrics.includes('perplexity') ? [request++] : [request++, request++],
    })),
  }))
  return { tasks: tasks as unknown as PreparedTask[], groups, requests: [], runs: [] }
}

const judge = (prepared: PreparedTasks, values: number[], isTop: boolean[] = []) =>
  judgeTasks(prepared, { logLikelihoods: Float64Array.from(values), isTop })

describe('figures of tasks', () => {
  it('take the likelier choice, the first of equals, or the likelier per character', () => {
    const prepared = prepare({ x: 3 }, ['acc', 'acc_norm'])
    const { x } = judge(prepared, [-2, -2, -3, -1, -1, -8])
    expect([...x!.acc!]).toEqual([1, 0, 1])
    expect([...x!.acc_norm!]).toEqual([0, 0, 1])
  })

  it('say how a continuation is predicted', () => {
    const prepared = prepare({ x: 2 }, ['perplexity', 'acc'])
    const figures = summarizeTasks(prepared, judge(prepared, [-1, -3], [true, false])).x!
    expect(figures.acc).toBe(0.5)
    expect(figures.perplexity).toBeCloseTo(Math.exp(2), 12)
    // the standard error of -1 and -3 is 1
    expect(figures.standardError.perplexity).toBeCloseTo(Math.exp(2), 12)
  })

  it('of a group count every document alike, with the errors within its tasks', () => {
    const prepared = prepare({ a: 2, b: 4 }, ['acc'], { all: ['a', 'b'] })
    const [right, wrong] = [
      [-1, -2],
      [-2, -1],
    ]
    const values = judge(prepared, [right, wrong, right, right, right, wrong].flat())
    const { all, a, b } = summarizeTasks(prepared, values)
    // variances within tasks 1/2 and 1/4, of 1 and 3 degrees of freedom
    expect(all).toEqual({
      ...{ acc: expect.closeTo(4 / 6, 12), documents: 6, fewshot: 0, tasks: ['a', 'b'] },
      standardError: { acc: expect.closeTo(Math.sqrt((0.5 + 3 * 0.25) / 4 / 6), 12) },
    })
    expect([a!.acc, b!.acc]).toEqual([0.5, 0.75])
  })

  it('compare over the same documents, with Student’s interval', () => {
    const prepared = prepare({ x: 4 })
    const whole = judge(prepared, [-1, -2, -1, -2, -1, -2, -2, -1])
    const cut = judge(prepared, [-2, -1, -2, -1, -1, -2, -2, -1])
    const { acc } = summarizeTasks(prepared, cut, whole).x!.difference
    // differences -1, -1, 0, 0; t of 3 degrees of freedom is 3.182446 at 97.5 %
    const error = Math.sqrt(1 / 3 / 4)
    expect(acc).toEqual({
      difference: -0.5,
      standardError: expect.closeTo(error, 12),
      interval: [expect.closeTo(-0.5 - 3.182446305 * error, 8), expect.closeTo(-0.5 + 3.182446305 * error, 8)],
    })
  })

  it('are none if a likelihood is not finite', () => {
    const prepared = prepare({ a: 1, b: 1 }, ['acc'], { all: ['a', 'b'] })
    const whole = judge(prepared, [-1, -2, -1, -2])
    const cut = judge(prepared, [-1, -2, Number.NaN, -2])
    const { all, a, b } = summarizeTasks(prepared, cut, whole)
    expect([all, b]).toEqual([null, null])
    expect(a).toMatchObject({ acc: 1, difference: { acc: { difference: 0, interval: null } } })
  })
})

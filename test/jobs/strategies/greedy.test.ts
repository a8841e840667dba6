import { describe, expect, it } from 'vitest'
import type { Progress } from '../../../src/base/progress.js'
import type { Evaluator } from '../../../src/jobs/evaluate/evaluator.js'
import { deepestBlock, lowestLayers } from '../../../src/jobs/strategies/choose-layers.js'
import { measureDivergence, removeGreedily } from '../../../src/jobs/strategies/greedy.js'
import type { Block } from '../../../src/model/layers/block.js'
import type { ReadText } from '../../../src/texts/tokens/windows.js'

/** A model that loses `costs[layer]` nats a token with each layer, and more where two neighbours go. */
function fakeEvaluator(costs: number[]) {
  const runs: number[] = []
  const evaluator: Pick<Evaluator, 'measure'> = {
    async measure(batch, candidates) {
      runs.push(candidates.length)
      return candidates.map((removed) => {
        const gone = removed.map(({ start }) => start)
        const cost = gone.reduce((sum, layer) => sum + costs[layer]! + (gone.includes(layer + 1) ? 1 : 0), 1)
        return Float64Array.from(batch, ({ ids }) => cost * (ids.length - 1))
      })
    },
  }
  return { evaluator, runs }
}

const batches: ReadText[][] = Array.from({ length: 8 }, () => [
  { ids: [1, 2, 3], sizeBytes: 0, origin: 'texts.jsonl:1' },
])

it('measureDivergence measures what compare says of candidates, not of the whole model', async () => {
  const of = (value: number) => {
    const values = Float64Array.of(value)
    return { nats: values.map((nats) => nats + 10), divergences: values, agreements: values }
  }
  const measuring = measureDivergence({
    compare: async (_, candidates) => [of(0), ...candidates.map(([block]) => of(1 + block!.start))],
  })
  const layers = [1, 0].map((start) => [{ start, end: start + 1 }])
  expect(await measuring.measure(batches[0]!, layers)).toEqual([Float64Array.of(2), Float64Array.of(1)])
})

describe('removeGreedily', () => {
  it('takes the layer that costs least, given those already removed', async () => {
    const { evaluator, runs } = fakeEvaluator([5, 0.1, 0.2, 3, 0.5, 0.4, Number.NaN, 2])
    const reports: Progress[] = []
    const steps = await removeGreedily(evaluator, batches, {
      layers: 8,
      n: 3,
      onProgress: (progress) => reports.push(progress),
    })
    expect(steps.map(({ layer }) => layer)).toEqual([1, 5, 2])
    expect(steps.map(({ perplexity }) => perplexity)).toEqual([
      expect.closeTo(Math.exp(1.1), 10),
      expect.closeTo(Math.exp(1.5), 10),
      expect.closeTo(Math.exp(2.7), 10),
    ])
    expect(reports[0]).toEqual({
      ...{ phase: 'search', done: 0, total: 3, share: 0, isMost: true },
      detail: 'layer 1 of 3, candidate 1 of 8',
    })
    expect(reports[1]!.detail).toBe('layer 1 of 3, candidate 1 of 7, best so far 1 -> 3.00')
    expect(reports.at(-1)!.detail).toBe('layer 3 of 3, candidate 1 of 1, best so far 2 -> 14.88')
    const shares = reports.map(({ share }) => share!)
    expect(shares).toEqual(shares.toSorted((a, b) => a - b))
    // candidates: 8, 7 that are finite, 4, 4, then the best alone; the first step runs the whole model too
    expect(runs.slice(0, 8)).toEqual([9, 8, 5, 5, 2, 2, 2, 2])
    // four that did best, of which the fourth is the last of the better half; all are certain after four texts
    expect(runs.slice(8, 16)).toEqual([4, 4, 4, 4, 1, 1, 1, 1])
  })

  it('does not run a candidate again that was significantly worse with fewer layers removed', async () => {
    const texts = Array.from({ length: 8 }, () => batches[0]![0]!)
    const { evaluator, runs } = fakeEvaluator([5, 0.1, 0.2, 3, 0.5, 0.4, 0.15, 2, 4, 4, 4, 4])
    const options = { layers: 12, n: 2 }
    const steps = await removeGreedily(evaluator, [texts], options)
    expect(steps.map(({ layer }) => layer)).toEqual([1, 6])
    // the first batch in two halves; of the second step, four and then no other of the better half
    expect(runs).toEqual([13, 2, 4, 1])
    runs.length = 0
    await removeGreedily(evaluator, [texts], { ...options, isMonotone: false, hasFixedBatch: true })
    expect(runs).toEqual([13, 11])
  })

  it('runs those that cheap errors and earlier losses make likely', async () => {
    const costs = [5, 0.1, 0.2, 3, 0.5, 0.4, 0.15, 2, 4, 4, 4, 4, 6, 6, 6, 6]
    const asked: number[][] = []
    const { evaluator } = fakeEvaluator(costs)
    const steps = await removeGreedily(
      {
        measure: (batch, candidates) => {
          asked.push(candidates.map((removed) => removed.at(-1)?.start ?? -1))
          return evaluator.measure(batch, candidates)
        },
        // of a layer that stands beside another that was removed, the error is much smaller than its loss alone
        measureErrors: async (_, removed, candidates) =>
          candidates.map((blocks) => {
            const { start } = blocks.at(-1)!
            return start === 15 && removed.length > 0 ? 0 : costs[start]! / 10
          }),
      },
      batches.slice(0, 2),
      { layers: 16, n: 2 },
    )
    expect(steps.map(({ layer }) => layer)).toEqual([1, 6])
    // the whole model and the better half, then the better quarter
    expect(asked[0]).toEqual([-1, 1, 6, 2, 5, 4, 7, 3, 8])
    expect(asked[1]).toEqual([-1, 1, 6, 2, 5])
    // the better quarter of both; what never ran is ranked by its error alone
    expect(asked[2]).toEqual([15, 6, 2, 5])
  })

  it('stops if the whole model has no finite likelihood', async () => {
    const { evaluator } = fakeEvaluator([1, 2])
    const broken: Pick<Evaluator, 'measure'> = {
      ...evaluator,
      measure: async (batch, candidates) => {
        const scores = await evaluator.measure(batch, candidates)
        return scores.map((row, index) => (candidates[index]!.length === 0 ? row.fill(Number.NaN) : row))
      },
    }
    await expect(removeGreedily(broken, batches, { layers: 2, n: 1 })).rejects.toThrow(
      "the whole model's log-likelihood of texts.jsonl:1 is NaN",
    )
  })

  it.each([Number.NaN, Infinity, 1000])('stops if every layer left costs %d nats', async (cost) => {
    const { evaluator } = fakeEvaluator([cost, 0.1, cost])
    await expect(removeGreedily(evaluator, batches, { layers: 3, n: 2 })).rejects.toThrow(
      'after 1 layer, no further one can be removed with a finite perplexity',
    )
  })
})

it('takes the deepest layers but the last', () => {
  expect(deepestBlock(30, 8)).toEqual<Block>({ start: 21, end: 29 })
  expect(deepestBlock(3, 2)).toEqual<Block>({ start: 0, end: 2 })
})

it('takes the layers of the lowest scores in their order', () => {
  expect(lowestLayers([0.9, 0.2, 0.3, 0.1, 0.2, 0.8], 3)).toEqual([1, 3, 4])
})

it('refuses scores that are no numbers', () => {
  expect(() => lowestLayers([Number.NaN, 0.5, 0.1, Number.NaN, 0.2], 2)).toThrow('the score of layer 0 is NaN')
})

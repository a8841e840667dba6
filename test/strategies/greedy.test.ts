import { describe, expect, it } from 'vitest'
import type { Evaluator } from '../../src/evaluate/evaluator.js'
import type { ReadText } from '../../src/runtime/batches.js'
import type { Block } from '../../src/similarity/result.js'
import { deepestBlock, lowestLayers } from '../../src/strategies/choose-layers.js'
import { removeGreedily } from '../../src/strategies/greedy.js'

/** A model that loses `costs[layer]` nats a token with each layer, and more where two neighbours go. */
function fakeEvaluator(costs: number[]) {
  const runs: number[] = []
  const evaluator: Evaluator = {
    async measure(batch, candidates) {
      runs.push(candidates.length)
      return candidates.map((removed) => {
        const gone = removed.map(({ start }) => start)
        const cost = gone.reduce((sum, layer) => sum + costs[layer]! + (gone.includes(layer + 1) ? 1 : 0), 1)
        return Float64Array.from(batch, ({ ids }) => cost * (ids.length - 1))
      })
    },
    close: async () => {},
  }
  return { evaluator, runs }
}

const batches: ReadText[][] = Array.from({ length: 8 }, () => [{ ids: [1, 2, 3], sizeBytes: 0, origin: '' }])

describe('removeGreedily', () => {
  it('takes the layer that costs least, given those that are gone', async () => {
    const { evaluator, runs } = fakeEvaluator([5, 0.1, 0.2, 3, 0.5, 0.4, Number.NaN, 2])
    const told: [number, number][] = []
    const steps = await removeGreedily(evaluator, batches, {
      layers: 8,
      n: 3,
      onTexts: (...progress) => told.push(progress),
    })
    expect(steps.map(({ layer }) => layer)).toEqual([1, 5, 2])
    expect(steps.map(({ perplexity }) => perplexity)).toEqual([
      expect.closeTo(Math.exp(1.1), 10),
      expect.closeTo(Math.exp(1.5), 10),
      expect.closeTo(Math.exp(2.7), 10),
    ])
    expect(told.at(-1)).toEqual([24, 24])
    expect(runs.slice(0, 8)).toEqual([8, 8, 4, 4, 3, 3, 3, 3])
  })
})

it('takes the deepest layers but the last', () => {
  expect(deepestBlock(30, 8)).toEqual<Block>({ start: 21, end: 29 })
  expect(deepestBlock(3, 2)).toEqual<Block>({ start: 0, end: 2 })
})

it('takes the layers of the lowest scores in their order', () => {
  expect(lowestLayers([0.9, 0.2, 0.3, 0.1, 0.2, 0.8], 3)).toEqual([1, 3, 4])
})

import { expect, it } from 'vitest'
import { formatPlan } from '../../../src/cli/terminal/plan.js'
import type { CandidateFigures } from '../../../src/index.js'
import { evaluatePerplexity, planLayers } from '../../../src/index.js'
import { fixtureFolder } from '../../support/fixture-model.js'
import { TEXTS } from '../../support/paths.js'

const OPTIONS = {
  model: fixtureFolder('llama'),
  dataset: TEXTS,
  datasetSize: 6,
  maxLength: 32,
  threads: 1,
}

it('the objective kl removes the layer without which predictions are nearest to the whole model', async () => {
  const candidates = [0, 1, 2].map((start) => [{ start, end: start + 1 }])
  const evaluation = await evaluatePerplexity({ ...OPTIONS, candidates })
  const divergences = evaluation.candidates.map((candidate) => (candidate as CandidateFigures).kl!)
  const least = Math.min(...divergences)
  const plan = await planLayers({
    ...OPTIONS,
    strategy: 'greedy-perplexity',
    objective: 'kl',
    layersToSkip: 1,
  })
  expect(plan.removed).toEqual(candidates[divergences.indexOf(least)])
  const { objective, kl, steps } = plan.scores as { objective: string; kl: number; steps: unknown[] }
  expect(objective).toBe('kl')
  expect(kl).toBeCloseTo(least, 6)
  expect(steps).toEqual([{ layer: plan.removed[0]!.start, kl }])
  expect(formatPlan(plan)).toContain('| KL after |')
})

it('an objective goes with strategies that search', async () => {
  await expect(planLayers({ ...OPTIONS, strategy: 'angular', objective: 'kl', layersToSkip: 1 })).rejects.toThrow(
    '`objective` requires `strategy: greedy-perplexity` or repaired',
  )
})

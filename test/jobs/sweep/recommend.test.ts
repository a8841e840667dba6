import { describe, expect, it } from 'vitest'
import { recommendCut } from '../../../src/jobs/sweep/recommend.js'
import type { SweepLimits, SweepResult } from '../../../src/results/documents/sweep-result.js'
import { sweepOf } from '../../support/sweep-example.js'

const sweep = sweepOf([
  [1.1, 1.05],
  [1.2, 1.3],
  [null, 1.24],
  [1.6, null],
])
const recommend = ({ candidates, whole }: SweepResult, limits: SweepLimits) =>
  recommendCut(candidates, whole.perplexity, limits)

describe('recommendCut', () => {
  it('takes the most layers within the ratio, and of these the lowest perplexity', () => {
    expect(recommend(sweep, { maxPerplexityRatio: 1.25 })).toMatchObject({
      layersToSkip: 3,
      strategies: ['deepest'],
    })
    expect(recommend(sweep, { maxPerplexityRatio: 1.21 })).toMatchObject({
      layersToSkip: 2,
      strategies: ['angular'],
    })
    expect(recommend(sweep, { maxPerplexityRatio: 1.15 })).toMatchObject({
      layersToSkip: 1,
      strategies: ['deepest'],
    })
  })

  it('takes the lowest perplexity of the size, if the size alone is limited', () => {
    expect(recommend(sweep, { maxSize: 293e6 })).toMatchObject({ layersToSkip: 2, strategies: ['angular'] })
    expect(recommend(sweep, { maxSize: 291e6 })).toMatchObject({ layersToSkip: 3, strategies: ['deepest'] })
    expect(recommend(sweep, { maxSize: 291e6, maxPerplexityRatio: 2 })).toMatchObject({ layersToSkip: 4 })
  })

  it('judges by the repaired perplexity, if there is one', () => {
    const repaired = {
      ...sweep,
      candidates: sweep.candidates.map((cut) =>
        cut.layersToSkip === 4
          ? { ...cut, repaired: { ...sweep.candidates[0]!, perplexity: 1.01 * sweep.whole.perplexity } }
          : cut,
      ),
    } as SweepResult
    expect(recommend(repaired, { maxPerplexityRatio: 1.02 })).toMatchObject({ layersToSkip: 4 })
  })

  it('takes none without limits, or if no cut is within them', () => {
    expect(recommend(sweep, {})).toBeNull()
    expect(recommend(sweep, { maxPerplexityRatio: 1.01 })).toBeNull()
    expect(recommend(sweep, { maxSize: 1e6 })).toBeNull()
  })
})

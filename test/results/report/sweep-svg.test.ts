import { describe, expect, it } from 'vitest'
import { drawSweep } from '../../../src/results/report/sweep-svg.js'
import { sweepOf } from '../../support/sweep-example.js'

const sweep = sweepOf([
  [1.1, 1.05],
  [1.2, 1.3],
  [null, 40],
])

describe('drawSweep', () => {
  it('draws a curve for each strategy over layers and over bytes, without what is not finite', () => {
    const svg = drawSweep(sweep)
    expect(svg.match(/<path class="lp-line-0"/g)).toHaveLength(2)
    expect(svg.match(/<path class="lp-line-1"/g)).toHaveLength(2)
    expect(svg.match(/<circle class="lp-dot-0"/g)).toHaveLength(2 * 2)
    expect(svg.match(/<circle class="lp-dot-1"/g)).toHaveLength(2 * 3)
    expect(svg).not.toContain('NaN')
    expect(svg).not.toContain('stroke-dasharray')
  })

  it('draws repaired cuts dashed, the limit, and a ring round the recommended cut', () => {
    const [first] = sweep.candidates
    const svg = drawSweep({
      ...sweep,
      candidates: [{ ...first!, repaired: { ...first!, perplexity: 21 } } as typeof first & object],
      limits: { maxPerplexityRatio: 1.25 },
      recommended: { layersToSkip: 1, removed: first!.removed, strategies: ['angular'] },
    })
    expect(svg.match(/<path [^>]*stroke-dasharray/g)).toHaveLength(2)
    expect(svg.match(/<line class="lp-limit"/g)).toHaveLength(2)
    expect(svg.match(/<circle class="lp-ring"/g)!.length).toBeGreaterThanOrEqual(2)
    expect(svg).toContain('angular, repaired')
  })
})

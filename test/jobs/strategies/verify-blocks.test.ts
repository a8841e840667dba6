import { describe, expect, it } from 'vitest'
import { rankBlocks, recommendBlock } from '../../../src/jobs/strategies/verify-blocks.js'
import type { EvaluationResult } from '../../../src/results/documents/evaluation-result.js'

const nearest = [0, 1, 2].map((start) => ({ start, end: start + 2, distance: start / 10 }))
const candidates = (perplexities: (number | null)[]) =>
  perplexities.map((perplexity) => ({ perplexity, standardError: 1 })) as EvaluationResult['candidates']

describe('verified blocks', () => {
  it('are ranked by perplexity, and what has none comes last', () => {
    const blocks = rankBlocks(nearest, candidates([null, 9, 4]))
    expect(blocks.map(({ perplexityRank }) => perplexityRank)).toEqual([3, 2, 1])
    expect(blocks[0]).toMatchObject({ perplexity: null, standardError: null, distanceRank: 1 })
    expect(recommendBlock(blocks)).toBe(blocks[2])
  })

  it('recommend none if no perplexity is finite', () => {
    expect(() => recommendBlock(rankBlocks(nearest, candidates([null, null, null])))).toThrow(
      'none of the 3 blocks checked leaves a model of finite perplexity',
    )
  })
})

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { measureSimilarity } from '../../../src/index.js'
import { largestDifference } from '../../support/largest-difference.js'
import { sample } from '../../support/long-tests.js'
import { EXAMPLES, FIXTURES } from '../../support/paths.js'

const reference = JSON.parse(readFileSync(join(FIXTURES, 'example-reference.json'), 'utf8'))

describe('the example model', () => {
  it.each(sample(['last', 'all'] as const, 2))('gives the distances that PyTorch gives, tokens %s', async (tokens) => {
    const result = await measureSimilarity({
      model: join(EXAMPLES, 'model'),
      dataset: join(EXAMPLES, 'texts.jsonl'),
      layersToSkip: 4,
      maxLength: reference.maxLength,
      tokens,
    })
    for (const [n, row] of Object.entries<number[]>(reference[tokens])) {
      expect(largestDifference(result.distances[n]!, row), `n = ${n}`).toBeLessThan(1e-5)
    }
  })
})

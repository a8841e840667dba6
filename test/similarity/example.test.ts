import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { measureSimilarity } from '../../src/index.js'
import { FIXTURES } from '../support/run-program.js'

const examples = fileURLToPath(new URL('../../examples', import.meta.url))
const reference = JSON.parse(readFileSync(join(FIXTURES, 'example-reference.json'), 'utf8'))

describe('the example model', () => {
  it.each(['last', 'all'] as const)('gives the distances that PyTorch gives, tokens %s', async (tokens) => {
    const result = await measureSimilarity({
      model: join(examples, 'model'),
      dataset: join(examples, 'texts.jsonl'),
      layersToSkip: 4,
      maxLength: reference.maxLength,
      tokens,
    })
    for (const [n, row] of Object.entries<number[]>(reference[tokens])) {
      const differences = row.map((distance, start) => Math.abs(distance - result.distances[n]![start]!))
      expect(Math.max(...differences), `n = ${n}`).toBeLessThan(1e-5)
    }
  })
})

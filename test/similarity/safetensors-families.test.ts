import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { measureSimilarity, type SimilarityResult, type TokenSelection } from '../../src/index.js'

const FIXTURES = fileURLToPath(new URL('../fixtures', import.meta.url))

interface Reference {
  maxLength: number
  texts: number[][]
  last: Record<string, number[]>
  all: Record<string, number[]>
}

const models = readdirSync(join(FIXTURES, 'families'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)

function readReference(name: string): Reference {
  return JSON.parse(readFileSync(join(FIXTURES, 'families', name, 'reference.json'), 'utf8'))
}

/** A batch of more than all texts, so that every text but the longest is padded. */
function measure(name: string, tokens: TokenSelection): Promise<SimilarityResult> {
  return measureSimilarity({
    model: join(FIXTURES, 'families', name),
    dataset: join(FIXTURES, 'texts.jsonl'),
    layersToSkip: 1,
    batchSize: 16,
    maxLength: readReference(name).maxLength,
    tokens,
  })
}

function largestDifference(result: SimilarityResult, expected: Record<string, number[]>): number {
  expect(Object.keys(result.distances)).toEqual(Object.keys(expected))
  const differences = Object.entries(expected).flatMap(([n, row]) => {
    expect(result.distances[n]).toHaveLength(row.length)
    return row.map((distance, start) => Math.abs(distance - result.distances[n]![start]!))
  })
  return Math.max(...differences)
}

describe.each(models)('%s from safetensors', (name) => {
  it.each(['last', 'all'] as const)('equals PyTorch, tokens %s', async (tokens) => {
    const reference = readReference(name)
    const result = await measure(name, tokens)
    expect(result.model.dtype).toBe('fp32')
    expect(result.dataset.tokens).toBe(reference.texts.flat().length)
    expect(largestDifference(result, reference[tokens])).toBeLessThan(1e-6)
  })
})

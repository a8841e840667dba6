import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { measureSimilarity, type SimilarityResult, type TokenSelection } from '../../src/index.js'

const FIXTURES = fileURLToPath(new URL('../fixtures', import.meta.url))
const TEXTS = join(FIXTURES, 'texts.jsonl')

interface Reference {
  maxLength: number
  texts: number[][]
  last: Record<string, number[]>
  all: Record<string, number[]>
}

const models = readdirSync(join(FIXTURES, 'onnx'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)

function measure(
  name: string,
  tokens: TokenSelection,
  options: { modelFile?: string; batchSize?: number } = {},
) {
  const { maxLength } = readReference(name)
  return measureSimilarity({
    model: join(FIXTURES, 'onnx', name),
    dataset: TEXTS,
    layersToSkip: 1,
    maxLength,
    tokens,
    ...options,
  })
}

function readReference(name: string): Reference {
  return JSON.parse(readFileSync(join(FIXTURES, 'onnx', name, 'reference.json'), 'utf8'))
}

function largestDifference(result: SimilarityResult, expected: Record<string, number[]>): number {
  expect(Object.keys(result.distances)).toEqual(Object.keys(expected))
  const differences = Object.entries(expected).flatMap(([n, row]) => {
    expect(result.distances[n]).toHaveLength(row.length)
    return row.map((distance, start) => Math.abs(distance - result.distances[n]![start]!))
  })
  return Math.max(...differences)
}

describe.each(models.filter((name) => !name.endsWith('int4')))('%s in fp32', (name) => {
  it.each(['last', 'all'] as const)('equals PyTorch, tokens %s', async (tokens) => {
    const result = await measure(name, tokens)
    expect(result.dataset.samples).toBe(readReference(name).texts.length)
    expect(result.dataset.tokens).toBe(readReference(name).texts.flat().length)
    expect(largestDifference(result, readReference(name)[tokens])).toBeLessThan(1e-5)
  })
})

const lowPrecision = models.flatMap((name) => {
  const folder = join(FIXTURES, 'onnx', name, 'onnx')
  const files = existsSync(folder) ? readdirSync(folder) : name.endsWith('int4') ? ['../model.onnx'] : []
  return files
    .filter((file) => file.endsWith('.onnx') && file !== 'model.onnx')
    .map((file) => [name, join('onnx', file)] as const)
})

describe.each(lowPrecision)('%s, %s', (name, modelFile) => {
  it('runs, and a text does not depend on its companions', async () => {
    const alone = await measure(name, 'all', { modelFile, batchSize: 1 })
    const together = await measure(name, 'all', { modelFile, batchSize: 7 })
    expect(alone.model.dtype).not.toBe('fp32')
    expect(largestDifference(together, alone.distances)).toBeLessThan(modelFile.includes('16') ? 2e-3 : 1e-5)
    expect(largestDifference(alone, readReference(name).all)).toBeLessThan(0.1)
  })
})

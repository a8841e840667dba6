import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { measureSimilarity, type SimilarityResult, type TokenSelection } from '../../src/index.js'
import { largestDifferenceByKey } from '../support/largest-difference.js'
import { FIXTURES } from '../support/paths.js'

interface Reference {
  maxLength: number
  texts: number[][]
  last: Record<string, number[]>
  all: Record<string, number[]>
}

const models = readdirSync(join(FIXTURES, 'families'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)

/** What keeps the weights as they are stored; undefined where that is float32. */
function readStoredDtype(name: string): 'bf16' | 'fp16' | undefined {
  const config = JSON.parse(readFileSync(join(FIXTURES, 'families', name, 'config.json'), 'utf8'))
  const stored = config.dtype ?? config.torch_dtype
  return stored === 'bfloat16' ? 'bf16' : stored === 'float16' ? 'fp16' : undefined
}

function readReference(name: string): Reference {
  return JSON.parse(readFileSync(join(FIXTURES, 'families', name, 'reference.json'), 'utf8'))
}

/** A batch of more than all texts, so that every text but the longest is padded. */
function measure(
  name: string,
  tokens: TokenSelection,
  dtype?: 'bf16' | 'fp16' | undefined,
): Promise<SimilarityResult> {
  return measureSimilarity({
    dtype,
    model: join(FIXTURES, 'families', name),
    dataset: join(FIXTURES, 'texts.jsonl'),
    layersToSkip: 1,
    batchSize: 16,
    maxLength: readReference(name).maxLength,
    tokens,
  })
}

describe.each(models)('%s from safetensors', (name) => {
  const stored = readStoredDtype(name)
  if (stored) {
    it('equals PyTorch with weights kept as they are stored', async () => {
      const result = await measure(name, 'all', stored)
      expect(result.model.dtype).toBe(stored)
      expect(largestDifferenceByKey(result.distances, readReference(name).all)).toBeLessThan(1e-6)
    })
  }

  it.each(['last', 'all'] as const)('equals PyTorch, tokens %s', async (tokens) => {
    const reference = readReference(name)
    const result = await measure(name, tokens)
    expect(result.model.dtype).toBe('fp32')
    expect(result.dataset.tokens).toBe(reference.texts.flat().length)
    expect(largestDifferenceByKey(result.distances, reference[tokens])).toBeLessThan(1e-6)
  })
})

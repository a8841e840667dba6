import { describe, expect, it } from 'vitest'
import { measureSimilarity, type SimilarityResult, type TokenSelection } from '../../../src/index.js'
import { fixtureFolder, listFixtures, readConfig, readReference } from '../../support/fixture-model.js'
import { largestDifferenceByKey } from '../../support/largest-difference.js'
import { sample } from '../../support/long-tests.js'
import { TEXTS } from '../../support/paths.js'

const models = listFixtures()

/** What keeps the weights as they are stored; undefined if that is float32. */
function readStoredDtype(name: string): 'bf16' | 'fp16' | undefined {
  const { dtype, torch_dtype } = readConfig(name)
  const stored = dtype ?? torch_dtype
  return stored === 'bfloat16' ? 'bf16' : stored === 'float16' ? 'fp16' : undefined
}

/** A batch of more than all texts, so that every text but the longest is padded. */
function measure(name: string, tokens: TokenSelection, dtype?: 'bf16' | 'fp16' | undefined): Promise<SimilarityResult> {
  return measureSimilarity({
    dtype,
    model: fixtureFolder(name),
    dataset: TEXTS,
    threads: 1,
    layersToSkip: 1,
    batchSize: 16,
    maxLength: readReference(fixtureFolder(name)).maxLength,
    tokens,
  })
}

/** How weights are stored and which tokens count makes no difference of the family. */
const SAMPLED = new Set(sample(models, 8))

describe.each(models)('%s from safetensors', (name) => {
  const stored = readStoredDtype(name)
  if (stored && SAMPLED.has(name)) {
    it('equals PyTorch with weights kept as they are stored', async () => {
      const result = await measure(name, 'all', stored)
      expect(result.model.dtype).toBe(stored)
      expect(largestDifferenceByKey(result.distances, readReference(fixtureFolder(name)).all)).toBeLessThan(1e-6)
    })
  }

  it.each(SAMPLED.has(name) ? (['last', 'all'] as const) : (['all'] as const))(
    'equals PyTorch, tokens %s',
    async (tokens) => {
      const reference = readReference(fixtureFolder(name))
      const result = await measure(name, tokens)
      expect(result.model.dtype).toBe('fp32')
      expect(result.dataset.tokens).toBe(reference.texts.flat().length)
      expect(largestDifferenceByKey(result.distances, reference[tokens])).toBeLessThan(1e-6)
    },
  )
})

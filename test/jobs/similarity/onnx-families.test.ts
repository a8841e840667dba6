import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { measureSimilarity, type TokenSelection } from '../../../src/index.js'
import { readReference } from '../../support/fixture-model.js'
import { largestDifferenceByKey } from '../../support/largest-difference.js'
import { sample } from '../../support/long-tests.js'
import { FIXTURES, TEXTS } from '../../support/paths.js'

const models = readdirSync(join(FIXTURES, 'onnx'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)

function measure(name: string, tokens: TokenSelection, options: { modelFile?: string; batchSize?: number } = {}) {
  const { maxLength } = referenceOf(name)
  return measureSimilarity({
    model: join(FIXTURES, 'onnx', name),
    dataset: TEXTS,
    threads: 1,
    layersToSkip: 1,
    maxLength,
    tokens,
    ...options,
  })
}

const referenceOf = (name: string) => readReference(join(FIXTURES, 'onnx', name))

describe.each(models.filter((name) => !name.endsWith('int4')))('%s in fp32', (name) => {
  it.each(['last', 'all'] as const)('equals PyTorch, tokens %s', async (tokens) => {
    const result = await measure(name, tokens)
    expect(result.dataset.samples).toBe(referenceOf(name).texts.length)
    expect(result.dataset.tokens).toBe(referenceOf(name).texts.flat().length)
    expect(largestDifferenceByKey(result.distances, referenceOf(name)[tokens])).toBeLessThan(1e-5)
  })
})

const lowPrecision = models.flatMap((name) => {
  const folder = join(FIXTURES, 'onnx', name, 'onnx')
  const files = existsSync(folder) ? readdirSync(folder) : name.endsWith('int4') ? ['../model.onnx'] : []
  return files
    .filter((file) => file.endsWith('.onnx') && file !== 'model.onnx')
    .map((file) => [name, join('onnx', file)] as const)
})

describe.each(sample(lowPrecision, 2))('%s, %s', (name, modelFile) => {
  it('runs, and a text does not depend on its companions', async () => {
    const alone = await measure(name, 'all', { modelFile, batchSize: 1 })
    const together = await measure(name, 'all', { modelFile, batchSize: 7 })
    expect(alone.model.dtype).not.toBe('fp32')
    expect(largestDifferenceByKey(together.distances, alone.distances)).toBeLessThan(
      modelFile.includes('16') ? 2e-3 : 1e-5,
    )
    expect(largestDifferenceByKey(alone.distances, referenceOf(name).all)).toBeLessThan(0.1)
  })
})

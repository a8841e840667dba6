import { readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openSafetensors } from '../../../src/files/checkpoint/safetensors.js'
import { evaluatePerplexity, LayerpruneError, planLayers } from '../../../src/index.js'
import { repairModel } from '../../../src/jobs/repair/repair-model.js'
import { copyFixture, fixtureFolder } from '../../support/fixture-model.js'
import { FIXTURES, TEXTS } from '../../support/paths.js'

/** Written by make-metrics.py from PyTorch's states. */
const references = JSON.parse(readFileSync(join(FIXTURES, 'metrics.json'), 'utf8'))

describe('block-influence', () => {
  it.each(['bloom', 'gemma2', 'llama', 'mixtral'])('of the layers of %s equals PyTorch', async (name) => {
    const model = fixtureFolder(name)
    const { maxLength } = JSON.parse(readFileSync(join(model, 'reference.json'), 'utf8'))
    const options = {
      model,
      dataset: TEXTS,
      maxLength,
      strategy: 'block-influence',
      layersToSkip: 1,
    } as const
    const { removed, scores } = await planLayers(options)
    const found = scores!.blockInfluence as number[]
    const expected: number[] = references[name].all['block-influence'].distances[1]
    expect(found).toHaveLength(expected.length)
    for (const [layer, influence] of found.entries()) expect(influence).toBeCloseTo(expected[layer]!, 6)
    const lowest = expected.indexOf(Math.min(...expected))
    expect(removed).toEqual([{ start: lowest, end: lowest + 1 }])
  })
})

/** A llama of finite weights that overflows in what one of them gives. */
async function makeOverflowing(weight: string): Promise<string> {
  const model = copyFixture('llama')
  const { file, offsetBytes, sizeBytes } = (await openSafetensors(model)).tensors.get(weight)!
  const handle = await open(file, 'r+')
  await handle.write(new Uint8Array(new Float32Array(sizeBytes / 4).fill(3e38).buffer), 0, sizeBytes, offsetBytes)
  await handle.close()
  return model
}

const LAYER = 'model.layers.1.mlp.down_proj.weight'
const HEAD = 'lm_head.weight'

describe('a model that overflows', () => {
  it.each([
    ['angular', LAYER],
    ['block-influence', LAYER],
    ['verified', LAYER],
    ['verified', HEAD],
    ['greedy-perplexity', LAYER],
    ['greedy-perplexity', HEAD],
    ['repaired', LAYER],
    ['repaired', HEAD],
  ] as const)('gets no plan by %s: %s', async (strategy, weight) => {
    const model = await makeOverflowing(weight)
    const run = planLayers({
      model,
      dataset: TEXTS,
      strategy,
      layersToSkip: 1,
      datasetSize: 4,
      verifySize: 2,
    })
    await expect(run).rejects.toThrow(LayerpruneError)
    await expect(run).rejects.toThrow(/ is not (a )?finite|log-likelihood of .* is NaN/)
  })

  it.each([LAYER, HEAD])('gets no perplexity, even if layers are removed: %s', async (weight) => {
    const model = await makeOverflowing(weight)
    const run = evaluatePerplexity({ model, dataset: TEXTS, candidates: [[{ start: 1, end: 2 }]] })
    await expect(run).rejects.toThrow("the whole model's log-likelihood of")
  })

  it('is not repaired', async () => {
    const model = await makeOverflowing(HEAD)
    const removed = [{ start: 1, end: 2 }]
    const options = { batchSize: 1, datasetSize: 4, evaluateSize: 2 }
    const run = repairModel({ model, dataset: TEXTS, removed, ...options })
    await expect(run).rejects.toThrow("the whole model's log-likelihood of")
  })
})

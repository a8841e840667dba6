import { expect, it } from 'vitest'
import { chooseSettings } from '../../../src/jobs/recipe/settings.js'

it.each<[string, number, number | null, object]>([
  ['llama', 6.7e9, 4096, { rank: 2, learningRate: 3e-4, maxLength: 2048, origin: 'its Llama-2 7B' }],
  ['llama', 13e9, 4096, { rank: 64, learningRate: 3e-4, maxLength: 4096, origin: 'its Llama-2 13B' }],
  ['llama', 70e9, 4096, { rank: 8, learningRate: 3e-5, origin: 'its Llama-2 70B' }],
  ['llama', 0.135e9, 2048, { rank: 64, learningRate: 3e-4, microBatchSize: 8, origin: 'most of its models' }],
  ['mistral', 7.2e9, null, { rank: 4, learningRate: 3e-6, maxLength: 2048 }],
  ['phi', 2.7e9, 2048, { rank: 64, learningRate: 2e-4 }],
  ['qwen2', 7.6e9, 32768, { rank: 64, learningRate: 3e-4, maxLength: 2048, origin: 'its Qwen 7B' }],
  ['qwen2', 14e9, 32768, { rank: 64, learningRate: 3e-4, maxLength: 4096, origin: 'its Qwen 14B' }],
  ['gpt2', 0.1e9, 1024, { rank: 64, maxLength: 1024 }],
])('%s of %d parameters and %s positions', (family, parameters, positions, expected) => {
  const settings = chooseSettings(family, parameters, positions)
  expect(settings).toMatchObject({ steps: 5000, batchSize: 16, warmupSteps: 100, dropout: 0.05, ...expected })
  expect(settings.batchSize % settings.microBatchSize).toBe(0)
})

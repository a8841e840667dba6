import { expect, it } from 'vitest'
import { openSafetensors } from '../../../src/files/checkpoint/safetensors.js'
import { listTargets } from '../../../src/jobs/heal/targets.js'
import { makeTrainable } from '../../../src/jobs/heal/trained-form.js'
import { estimateTraining, fitLayers } from '../../../src/jobs/heal/training-memory.js'
import { describeDecoder } from '../../../src/model/builder/build-decoder.js'
import { buildFrom, fixtureFolder } from '../../support/fixture-model.js'

const BATCH = { texts: 2, tokens: 16 }

async function estimate(name: string, batch = BATCH) {
  const folder = fixtureFolder(name)
  const [{ decoder, config }, { tensors }] = [await buildFrom(folder), await openSafetensors(folder)]
  const modules = listTargets(describeDecoder(config, tensors), tensors)
  const form = await makeTrainable(decoder, tensors, modules, { rank: 4, seed: 0 })
  return { layers: config.layers, memory: estimateTraining(form, config, batch, undefined) }
}

it('a token more takes what the layers keep of it', async () => {
  const [short, long] = [await estimate('llama'), await estimate('llama', { texts: 2, tokens: 32 })]
  const perToken = (long.memory(long.layers) - short.memory(short.layers)) / 32
  // per layer: 2 sums and the norm that the MLP reads (32 each), queries, keys and values (64), 4 tensors of the MLP
  // (48 each), what softmax and the heads give
  expect(perToken / short.layers / 4).toBeGreaterThan(32 * 3 + 64 + 48 * 4)
  expect(perToken / short.layers / 4).toBeLessThan(2 * (32 * 3 + 64 + 48 * 4))
})

it('as many layers are held at once as the memory allows', () => {
  const memory = (layersAtOnce: number) => 1e9 + 1e8 * layersAtOnce
  expect(fitLayers(memory, 22, 1e10, BATCH)).toBe(22)
  expect(fitLayers(memory, 22, 1.55e9, BATCH)).toBe(5)
  expect(() => fitLayers(memory, 22, 1e9, BATCH)).toThrow(
    '1.0 GB of memory is too little: to train this model on 2 sequences of 16 tokens at once takes about 1100MB',
  )
})

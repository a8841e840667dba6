import { expect, it } from 'vitest'
import { readModelConfig } from '../../../src/files/checkpoint/config.js'
import { openSafetensors } from '../../../src/files/checkpoint/safetensors.js'
import { ForwardClock } from '../../../src/jobs/heal/forward-clock.js'
import { countTokenCost } from '../../../src/jobs/heal/step-cost.js'
import { buildDecoder } from '../../../src/model/builder/build-decoder.js'
import { fixtureFolder } from '../../support/fixture-model.js'

const text = (tokens: number) => ({ ids: Array<number>(tokens).fill(1), origin: 'test' })

it('the pace of a measurement is that of the batches after the first, padding included', () => {
  let ms = 0
  const clock = new ForwardClock([[text(50)], [text(10), text(20)], [text(30)]], () => ms)
  clock.note(1)
  expect(clock.tokensPerSecond()).toBeUndefined()
  ms = 300
  clock.note(3)
  ms = 500
  clock.note(4)
  expect(clock.tokensPerSecond()).toBe(140)
})

it('a token passes every matrix once forward and once back, and the scores of attention', async () => {
  const folder = fixtureFolder('llama')
  const [config, checkpoint] = [await readModelConfig(folder), await openSafetensors(folder)]
  const weights = [...checkpoint.tensors.values()]
    .filter(({ name }) => name.includes('_proj') || name === 'lm_head.weight')
    .reduce((sum, { shape }) => sum + shape[0]! * shape[1]!, 0)
  const attention = 4 * config.layers * config.heads * config.headDim * 64
  expect(countTokenCost(buildDecoder(config, checkpoint), config, 64)).toEqual({
    forward: 2 * weights + attention,
    step: 4 * weights + 3 * attention,
  })
})

import { expect, it } from 'vitest'
import { openWholeSession } from '../../../src/engine/sessions/whole-session.js'
import { addDistances, countBlocks } from '../../../src/jobs/similarity/distances.js'
import { buildFrom, fixtureFolder, measureBlocks, ONE_THREAD, readReference } from '../../support/fixture-model.js'
import { largestDifference } from '../../support/largest-difference.js'

// the last states of nemotron-h-mlp-last are computed at the asked positions only
const NAME = 'nemotron-h-mlp-last'
const { texts, last, all } = readReference(fixtureFolder(NAME))

it('measures a model in which no layer after the last attention mixes tokens', async () => {
  const distances = await measureBlocks(await buildFrom(fixtureFolder(NAME)), NAME)
  expect(largestDifference(distances, Object.values(all).flat())).toBeLessThan(1e-6)
})

it('measures it at the last token of each text', async () => {
  const { decoder, config } = await buildFrom(fixtureFolder(NAME))
  const session = await openWholeSession(decoder, config, ONE_THREAD)
  const batch = { texts: texts.map((ids) => ({ ids, origin: NAME })), asked: texts.map((ids) => [ids.length - 1]) }
  const gram: Float64Array = (await session.measureGrams([batch]).next()).value
  await session.close()
  const size = decoder.states.length ** 2
  const sums = new Float64Array(countBlocks(config.layers))
  for (let start = 0; start < gram.length; start += size) {
    addDistances(gram.subarray(start, start + size), config.layers, ['angular'], sums)
  }
  const means = sums.map((sum) => sum / texts.length)
  expect(largestDifference(means, Object.values(last).flat())).toBeLessThan(1e-6)
})

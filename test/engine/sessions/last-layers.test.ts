import { expect, it } from 'vitest'
import { buildFrom, fixtureFolder, measureBlocks, measureTexts, readReference } from '../../support/fixture-model.js'
import { largestDifference } from '../../support/largest-difference.js'

// the last states of nemotron-h-mlp-last are computed at the asked positions only
const NAME = 'nemotron-h-mlp-last'
const { texts, last, all } = readReference(fixtureFolder(NAME))

it('measures a model in which no layer after the last attention mixes tokens', async () => {
  const distances = await measureBlocks(await buildFrom(fixtureFolder(NAME)), NAME)
  expect(largestDifference(distances, Object.values(all).flat())).toBeLessThan(1e-6)
})

it('measures it at the last token of each text', async () => {
  const built = await buildFrom(fixtureFolder(NAME))
  const means = await measureTexts(built, texts, NAME, (ids) => [ids.length - 1])
  expect(largestDifference(means, Object.values(last).flat())).toBeLessThan(1e-6)
})

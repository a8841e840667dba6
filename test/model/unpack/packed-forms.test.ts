import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { buildFrom, measureTexts, readReference } from '../../support/fixture-model.js'
import { largestDifference } from '../../support/largest-difference.js'
import { FIXTURES } from '../../support/paths.js'

const PACKED = join(FIXTURES, 'packed')

it.each(readdirSync(PACKED))("gives PyTorch's distances of the unpacked weights for %s", async (name) => {
  const folder = join(PACKED, name)
  const { texts, all } = readReference(folder)
  const built = await buildFrom(folder)
  expect(built.decoder.packed!.size).toBeGreaterThan(10)
  const distances = await measureTexts(built, texts, name)
  expect(largestDifference([...distances], Object.values(all).flat())).toBeLessThan(1e-5)
})

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openModel } from '../../../src/engine/model.js'
import { fixtureFolder, measureTexts, type Reference, readReference } from '../../support/fixture-model.js'
import { sample } from '../../support/long-tests.js'
import { FIXTURES } from '../../support/paths.js'

const GGUF = join(FIXTURES, 'gguf')
const names = readdirSync(GGUF).flatMap((name) => (name.endsWith('.gguf') ? [name.slice(0, -5)] : []))

/** The family's own, unless the model was made with other settings. */
function readOwnReference(name: string): Reference {
  const own = join(GGUF, `${name}.json`)
  return existsSync(own) ? JSON.parse(readFileSync(own, 'utf8')) : readReference(fixtureFolder(name))
}

describe('GGUF files of llama.cpp’s converter', () => {
  it.each(sample(names, 3))('%s equals PyTorch on the checkpoint', async (name) => {
    const { decoder, config } = await openModel({ model: join(GGUF, `${name}.gguf`) })
    const { all, texts } = readOwnReference(name)
    const distances = await measureTexts({ decoder, config }, texts, name)
    const expected = Object.values(all).flat()
    const difference = Math.max(...expected.map((value, index) => Math.abs(value - distances[index]!)))
    expect(difference).toBeLessThan(1e-6)
  })
})

import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { nameTrainingData } from '../../src/recipe/training-data.js'

const start = process.cwd()
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'layerprune-recipe-'))
})
afterEach(() => {
  process.chdir(start)
  rmSync(folder, { recursive: true })
})

it('what is neither a file nor a folder here is a dataset on the Hub', async () => {
  expect(await nameTrainingData({ dataset: ['org/texts'] })).toEqual({
    from: 'hub',
    id: 'org/texts',
    config: null,
    split: 'train',
    column: 'text',
  })
})

it('what is here but cannot be looked at is no dataset on the Hub', async () => {
  process.chdir(folder)
  symlinkSync('texts', 'texts')
  await expect(nameTrainingData({ dataset: ['texts'] })).rejects.toThrow(
    /^cannot read dataset .*texts: ELOOP$/,
  )
})

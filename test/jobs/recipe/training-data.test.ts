import { symlinkSync } from 'node:fs'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { nameTrainingData } from '../../../src/jobs/recipe/training-data.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const start = process.cwd()
let folder: string
beforeEach(() => {
  folder = makeTempFolder()
})
afterEach(() => {
  process.chdir(start)
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
  await expect(nameTrainingData({ dataset: ['texts'] })).rejects.toThrow(/^cannot read dataset .*texts: ELOOP$/)
})

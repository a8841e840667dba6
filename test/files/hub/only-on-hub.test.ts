import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openModelSource } from '../../../src/files/checkpoint/open-model-source.js'
import { isOnlyOnHub } from '../../../src/files/hub/only-on-hub.js'
import { listDataFiles } from '../../../src/texts/data/files.js'
import { findHubDataset } from '../../../src/texts/data/hub-dataset.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const start = process.cwd()

beforeAll(() => {
  process.chdir(makeTempFolder())
  mkdirSync('org/here', { recursive: true })
  writeFileSync('org/file', '')
  symlinkSync('loop', 'loop')
})
afterAll(() => process.chdir(start))

it.each([
  ['org/elsewhere', true],
  ['gpt2', true],
  ['org/here', false],
  ['org/file', false],
  ['./elsewhere', false],
  ['org/elsewhere/model', false],
])('%s is only on the Hub: %s', async (name, expected) => {
  expect(await isOnlyOnHub(name)).toBe(expected)
})

it('a name that the system cannot look up is not taken for one of the Hub, and the reason is reported', async () => {
  expect(await isOnlyOnHub('loop')).toBe(false)
  await expect(openModelSource({ model: 'loop' })).rejects.toThrow(/^model folder loop cannot be read: ELOOP/)
  expect(await findHubDataset({ dataset: 'loop' })).toBeUndefined()
  await expect(listDataFiles(['loop'])).rejects.toThrow(/^cannot read dataset loop: ELOOP/)
})

it('a name with the ending of a data file is meant to be a file', async () => {
  expect(await findHubDataset({ dataset: 'texts.jsonl' })).toBeUndefined()
  expect(await findHubDataset({ dataset: 'org/texts' })).toEqual({ id: 'org/texts' })
})

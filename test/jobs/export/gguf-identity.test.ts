import { join } from 'node:path'
import { expect, it } from 'vitest'
import { type ExportOptions, exportModel } from '../../../src/jobs/export/export-model.js'
import { makeNamedModel } from '../../support/named-model.js'
import { readGgufContent } from '../../support/read-gguf-content.js'
import { makeTempFolder } from '../../support/temp-folder.js'

/** What a written file says in its keys of `general`, and where it is. */
async function exportGguf(options: Pick<ExportOptions, 'model'> & Partial<ExportOptions>) {
  const output = join(makeTempFolder(), 'shorter-2K')
  const { exported } = await exportModel({ output, to: 'gguf', dtype: ['F32'], check: false, ...options })
  const path = join(output, exported[0]!.name)
  const { metadata } = await readGgufContent(path)
  const stated = Object.entries(metadata).filter(([key]) => /^general\.(?!architecture|type|quant)/.test(key))
  return { path, general: Object.fromEntries(stated.map(([key, { value }]) => [key.slice('general.'.length), value])) }
}

const OF_CARD = {
  author: 'A. Person',
  license: 'apache-2.0,mit',
  'license.name': 'two',
  'license.link': 'LICENSE',
  tags: ['chat', 'small', 'text-generation'],
  languages: ['en', 'no'],
  'dataset.count': 1,
  'dataset.0.name': 'Texts v1.5',
  'dataset.0.organization': 'Someone',
  'dataset.0.version': 'v1.5',
  'dataset.0.repo_url': 'https://huggingface.co/someone/texts-v1.5',
  'base_model.count': 3,
  'base_model.0.name': 'Base 7B v2',
  'base_model.0.organization': 'Org',
  'base_model.0.version': 'v2',
  'base_model.0.repo_url': 'https://huggingface.co/org/base-7B-v2',
  'base_model.1.name': 'Parent Model',
  'base_model.1.organization': 'Other',
  'base_model.1.repo_url': 'https://huggingface.co/other/parent-model',
  'base_model.2.name': 'Third',
  'base_model.2.version': '3',
  'sampling.temp': Math.fround(0.6),
  'sampling.top_k': 20,
  'sampling.top_p': Math.fround(0.95),
  'sampling.penalty_repeat': Math.fround(1.05),
}
const OF_NAME = {
  name: 'Tiny Model 42K Chat v1.2',
  organization: 'My Org',
  basename: 'tiny-model',
  finetune: 'chat',
  version: 'v1.2',
  size_label: '42K',
}

it('a GGUF file says what the card, the config and the generation config of its model say', async () => {
  const { path, general } = await exportGguf({ model: makeNamedModel() })
  expect(general).toEqual({ ...OF_CARD, ...OF_NAME })
  // and what is made of that file says the same
  expect((await exportGguf({ model: path })).general).toEqual(general)
})

it('of a model without some layers says its own name and size, and the origin', async () => {
  const { general } = await exportGguf({ model: makeNamedModel(), removed: [{ start: 1, end: 2 }] })
  expect(general).toMatchObject(OF_CARD)
  expect(general).toMatchObject({ name: 'shorter-2K', basename: 'shorter' })
  expect(general.size_label).toMatch(/^\d+\.\d+K$|^\d+K$/)
  expect(general).not.toHaveProperty('organization')
  expect(general).not.toHaveProperty('version')
})

it('takes no path of another machine for the name of a model', async () => {
  const model = makeNamedModel({ name: '/home/someone/checkpoint-10', card: '' })
  const { general } = await exportGguf({ model })
  expect(JSON.stringify(general)).not.toContain('someone')
})

it('says that a card whose front matter is no YAML is ignored', async () => {
  const notes: string[] = []
  const model = makeNamedModel({ card: '---\nlicense: [mit\n---\n' })
  const { general } = await exportGguf({ model, onNote: (note) => notes.push(note) })
  expect(general).not.toHaveProperty('license')
  expect(notes.slice(1)).toEqual([
    expect.stringMatching(/^the front matter of the model's README\.md is ignored, as it is not YAML: .*[^:]$/),
  ])
})

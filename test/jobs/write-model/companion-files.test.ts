import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { pruneModel } from '../../../src/jobs/prune/prune.js'
import { fixtureFolder } from '../../support/fixture-model.js'
import { makeTempFolder } from '../../support/temp-folder.js'

let place: string
beforeEach(() => {
  place = makeTempFolder()
  writeFileSync(join(place, 'secret'), 'a secret')
})

function copyModel(name = 'model'): string {
  cpSync(fixtureFolder('llama'), join(place, name), { recursive: true })
  return join(place, name)
}

const plan = { strategy: 'explicit', removed: [{ start: 1, end: 2 }] }
const prune = (model: string) => pruneModel({ model, output: join(place, 'out'), plan })

describe('a link out of the folder of a model', () => {
  it.each(['LICENSE', 'README.md', 'notes.txt', 'additional_chat_templates/tools.jinja'])(
    'is refused: %s',
    async (name) => {
      const model = copyModel()
      mkdirSync(join(model, name, '..'), { recursive: true })
      symlinkSync(join(place, 'secret'), join(model, name))
      await expect(prune(model)).rejects.toThrow(
        `${join(model, name)} is a link out of the model's folder, whose content would be copied`,
      )
      expect(readdirSync(place)).not.toContain('out')
    },
  )

  it('is refused through a folder that is a link', async () => {
    const model = copyModel()
    mkdirSync(join(place, 'secrets'))
    writeFileSync(join(place, 'secrets/a.jinja'), 'a secret')
    symlinkSync(join(place, 'secrets'), join(model, 'additional_chat_templates'))
    await expect(prune(model)).rejects.toThrow("is a link out of the model's folder")
  })
})

it('an adapter of the whole model is not copied: transformers would load it with its base', async () => {
  const model = copyModel()
  writeFileSync(join(model, 'adapter_config.json'), '{}')
  await prune(model)
  expect(readdirSync(join(place, 'out'))).toContain('tokenizer.json')
  expect(readdirSync(join(place, 'out'))).not.toContain('adapter_config.json')
})

it.each(['LICENSE', 'README.md'])('a broken link is refused by name: %s', async (name) => {
  const model = copyModel()
  symlinkSync('gone', join(model, name))
  await expect(prune(model)).rejects.toThrow(`${join(model, name)} is a link that leads nowhere`)
})

describe('a link is followed', () => {
  it('inside the folder of a model', async () => {
    const model = copyModel()
    mkdirSync(join(model, 'legal'))
    writeFileSync(join(model, 'legal/text'), 'free')
    symlinkSync('legal/text', join(model, 'LICENSE'))
    await prune(model)
    expect(readFileSync(join(place, 'out/LICENSE'), 'utf8')).toBe('free')
  })

  it('from a folder of links to the files of a model, no further', async () => {
    const model = copyModel()
    const view = join(place, 'view')
    mkdirSync(view)
    for (const name of readdirSync(model)) symlinkSync(join(model, name), join(view, name))
    await prune(view)
    expect(readdirSync(join(place, 'out'))).toContain('tokenizer.json')
    rmSync(join(place, 'out'), { recursive: true })
    symlinkSync(join(place, 'secret'), join(view, 'LICENSE'))
    await expect(prune(view)).rejects.toThrow("is a link out of the model's folder")
  })

  it('from a snapshot of the cache to its blobs, no further', async () => {
    const snapshot = copyModel(`hub/models--org--m/snapshots/${'a'.repeat(40)}`)
    const blobs = join(place, 'hub/models--org--m/blobs')
    mkdirSync(blobs)
    writeFileSync(join(blobs, 'licence'), 'free')
    writeFileSync(join(blobs, 'card'), '# The card\n')
    symlinkSync('../../blobs/licence', join(snapshot, 'LICENSE'))
    symlinkSync('../../blobs/card', join(snapshot, 'README.md'))
    await prune(snapshot)
    expect(readFileSync(join(place, 'out/LICENSE'), 'utf8')).toBe('free')
    expect(readFileSync(join(place, 'out/README.md'), 'utf8')).toContain('# The card')
    rmSync(join(place, 'out'), { recursive: true })
    symlinkSync(join(place, 'secret'), join(blobs, 'other'))
    symlinkSync('../../blobs/other', join(snapshot, 'NOTICE'))
    await expect(prune(snapshot)).rejects.toThrow("is a link out of the model's folder")
  })
})

import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { openModel } from '../../../src/engine/model.js'
import { openModelSource } from '../../../src/files/checkpoint/open-model-source.js'
import { filesOf } from '../../support/hub/repos.js'
import { type HubServer, startHubServer } from '../../support/hub/server.js'
import { FIXTURES } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const LLAMA = filesOf(join(FIXTURES, 'families/llama'))

let server: HubServer
let home: string
beforeAll(async () => {
  server = await startHubServer()
  process.env.HF_ENDPOINT = server.endpoint
  process.env.LAYERPRUNE_RETRY_SECONDS = '0.5'
  const index = { weight_map: { 'a.weight': '../../../escaped.safetensors' } }
  server.add(
    { type: 'model', id: 'org/llama', files: LLAMA },
    {
      type: 'model',
      id: 'org/hostile',
      files: {
        'config.json': LLAMA['config.json']!,
        'model.safetensors.index.json': JSON.stringify(index),
        '../../../escaped.safetensors': 'x',
      },
    },
  )
})
afterAll(() => server.close())
beforeEach(() => {
  home = makeTempFolder()
  process.env.HF_HOME = home
})
afterEach(() => {
  delete process.env.HF_HUB_DISABLE_SYMLINKS
})

it('a file name that leaves the cache is refused, wherever it comes from', async () => {
  await expect(openModel({ model: 'org/hostile' })).rejects.toThrow(/expected the name of a \.safetensors file/)
  const source = await openModelSource({ model: 'org/hostile' })
  const escaped = source.provide(['../../../escaped.safetensors'])
  await expect(escaped).rejects.toThrow(/a file name that is not safe: \.\.\/\.\.\/\.\.\/escaped/)
  const found = readdirSync(home, { recursive: true }) as string[]
  expect(found.filter((path) => path.includes('escaped'))).toEqual([])
  expect(existsSync(join(home, 'hub/escaped.safetensors'))).toBe(false)
})

it('a body is never longer than the file was announced to be', async () => {
  const commit = server.commitOf('org/llama')
  const size = LLAMA['config.json']!.length
  const entry = { type: 'file', oid: '0'.repeat(40), size: size - 10, path: 'config.json' }
  server.fail(/\/tree\//, { kind: 'list', headers: {}, entries: [entry] })
  const source = await openModelSource({ model: 'org/llama' })
  await expect(source.provide(['config.json'])).rejects.toThrow(/more bytes arrive than the \d+ that were announced/)
  expect(existsSync(join(home, 'hub/models--org--llama/snapshots', commit, 'config.json'))).toBe(false)
})

it('without links the files themselves lie in the snapshot', async () => {
  process.env.HF_HUB_DISABLE_SYMLINKS = '1'
  const { folder, config } = await openModel({ model: 'org/llama' })
  expect(config.family).toBe('llama')
  expect(lstatSync(join(folder, 'config.json')).isSymbolicLink()).toBe(false)
  server.reset()
  await openModel({ model: 'org/llama' })
  expect(server.requests.filter(({ url }) => url.includes('resolve'))).toEqual([])
  delete process.env.HF_HUB_DISABLE_SYMLINKS
  expect(readFileSync(join(folder, 'config.json'))).toEqual(Buffer.from(LLAMA['config.json']!))
})

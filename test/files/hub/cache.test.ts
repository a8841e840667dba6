import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  addToSnapshot,
  findInCache,
  readCachedCommit,
  sizeOf,
  writeCachedCommit,
} from '../../../src/files/hub/cache.js'
import { readHubSettings } from '../../../src/files/hub/settings.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const COMMIT = 'a'.repeat(40)
const REPO = { type: 'model' as const, id: 'org/model', revision: 'main' }

let home: string
beforeEach(() => {
  home = makeTempFolder()
})

const settings = (useLinks = true) => ({ ...readHubSettings({ HF_HOME: home }), useLinks })
const places = () => findInCache(settings(), REPO)

describe('only what is missing counts as missing', () => {
  it('a cache without the model', async () => {
    expect(await readCachedCommit(settings(), REPO)).toBeUndefined()
    await writeCachedCommit(settings(), REPO, COMMIT)
    expect(await readCachedCommit(settings(), REPO)).toBeUndefined()
    mkdirSync(places().snapshotOf(COMMIT), { recursive: true })
    expect(await readCachedCommit(settings(), REPO)).toBe(COMMIT)
  })

  // permissions do not bind root; a link to itself fails for everyone
  const cannotRead = {
    message: expect.stringMatching(/^cannot read .*main in the Hub's cache: ELOOP/),
    hint: 'check its permissions, or name another cache with HF_HOME',
  }

  it('a ref that cannot be read', async () => {
    mkdirSync(join(places().folder, 'refs'), { recursive: true })
    symlinkSync('main', join(places().folder, 'refs/main'))
    await expect(readCachedCommit(settings(), REPO)).rejects.toMatchObject(cannotRead)
    await expect(writeCachedCommit(settings(), REPO, COMMIT)).rejects.toMatchObject(cannotRead)
    await expect(sizeOf(join(places().folder, 'refs/main'))).rejects.toMatchObject(cannotRead)
  })
})

describe('a file of a snapshot', () => {
  const target = () => join(places().snapshotOf(COMMIT), 'onnx/model.onnx')
  const blob = () => join(places().blobs, 'b'.repeat(64))
  beforeEach(() => {
    mkdirSync(places().blobs, { recursive: true })
    writeFileSync(blob(), 'content')
  })

  it.each([true, false])('can be added by several processes at once, with links: %s', async (useLinks) => {
    await Promise.all(Array.from({ length: 20 }, () => addToSnapshot(blob(), target(), settings(useLinks))))
    expect(lstatSync(target()).isSymbolicLink()).toBe(useLinks)
    expect(await sizeOf(target())).toBe(7)
    expect(existsSync(blob())).toBe(useLinks)
    expect(readdirSync(join(target(), '..'))).toEqual(['model.onnx'])
  })

  it('is an error if its blob is gone', async () => {
    rmSync(blob())
    await expect(addToSnapshot(blob(), target(), settings(false))).rejects.toThrow(/^cannot write .*model\.onnx/)
  })
})

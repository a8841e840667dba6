import { createHash } from 'node:crypto'
import { appendFile, mkdir, open, readdir, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { hashFiles } from '../../../src/files/checkpoint/hash-files.js'
import { fingerprintModel } from '../../../src/jobs/run/fingerprint.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const LARGE = 65 << 20

afterEach(() => vi.restoreAllMocks())

/** A file of zeros that takes no room on the disk. */
async function makeLarge(path: string): Promise<void> {
  const file = await open(path, 'w')
  await file.truncate(LARGE)
  await file.close()
}

async function writeByte(path: string, offset: number): Promise<void> {
  const file = await open(path, 'r+')
  await file.write(Uint8Array.of(1), 0, 1, offset)
  await file.close()
}

/** As if the files had been written a while ago. */
const passTime = (ms: number) => vi.spyOn(Date, 'now').mockReturnValue(performance.timeOrigin + performance.now() + ms)

describe('fingerprintModel', () => {
  async function makeModel() {
    const folder = makeTempFolder()
    const weights = join(folder, 'model.safetensors')
    await writeFile(join(folder, 'config.json'), '{}')
    await makeLarge(weights)
    const format = 'safetensors' as const
    const model = { folder, format, tokenizer: folder, file: 'model.safetensors', weightFiles: [weights] }
    return { weights, take: () => fingerprintModel(model, { folder: join(folder, 'kept') }) }
  }

  it.each([0, 70_001, 12_345_678, LARGE - 1])('sees that byte %d of large weights has changed', async (offset) => {
    const { weights, take } = await makeModel()
    passTime(10_000)
    const before = await take()
    const { atime, mtime } = await stat(weights)
    await writeByte(weights, offset)
    await utimes(weights, atime, mtime)
    expect(await take()).not.toBe(before)
  })

  it('is the same for the same content in another folder', async () => {
    const [one, other] = [await makeModel(), await makeModel()]
    expect(await one.take()).toBe(await other.take())
  })
})

describe('hashFiles', () => {
  async function setUp() {
    const root = makeTempFolder()
    const path = join(root, 'large')
    const folder = join(root, 'kept')
    await makeLarge(path)
    return { path, folder, hash: async () => (await hashFiles([path], { folder })).get(path) }
  }

  it('keeps the digests of large files', async () => {
    const { path, folder, hash } = await setUp()
    passTime(10_000)
    const digest = await hash()
    expect(digest).toBe(createHash('sha256').update(Buffer.alloc(LARGE)).digest('hex'))
    const [name] = await readdir(folder)
    await writeFile(join(folder, name!), 'f'.repeat(64))
    expect(await hash()).toBe('f'.repeat(64))
    await writeFile(join(folder, name!), 'damaged')
    expect(await hash()).toBe(digest)
    await writeByte(path, 9)
    expect(await hash()).not.toBe(digest)
  })

  it('keeps none of a file that was just written, which may change without another time', async () => {
    const { folder, hash } = await setUp()
    await hash()
    expect(await readdir(folder).catch(() => [])).toEqual([])
  })

  it('does without a place to keep them', async () => {
    const { folder, hash } = await setUp()
    passTime(10_000)
    await writeFile(folder, 'a file')
    const digest = await hash()
    expect(digest).toMatch(/^[0-9a-f]{64}$/)
    expect(await hash()).toBe(digest)
  })

  it('refuses a file that changes while it is read', async () => {
    const { path, folder } = await setUp()
    let running = true
    const run = hashFiles([path], { folder }).finally(() => {
      running = false
    })
    const refused = expect(run).rejects.toThrow(`${path} was changed while it was read`)
    while (running) await appendFile(path, 'more')
    await refused
  })

  it('stops if it is aborted', async () => {
    const { path, folder } = await setUp()
    await mkdir(folder)
    const controller = new AbortController()
    const run = hashFiles([path], { folder, signal: controller.signal })
    controller.abort()
    await expect(run).rejects.toThrow('aborted')
  })

  it('says so if there is much to read', async () => {
    const { path, folder } = await setUp()
    const file = await open(path, 'r+')
    await file.truncate(5e9)
    await file.close()
    const controller = new AbortController()
    const notes: string[] = []
    const onNote = (message: string) => {
      notes.push(message)
      controller.abort()
    }
    await expect(hashFiles([path], { folder, signal: controller.signal, onNote })).rejects.toThrow('aborted')
    expect(notes).toEqual(['hashing 5.0 GB of weights, once'])
  })
})

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { basename, join } from 'node:path'
import timers from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { openModelSource } from '../../../src/files/checkpoint/open-model-source.js'
import { openDataset } from '../../../src/texts/data/dataset.js'
import type { Fault } from '../../support/hub/answers.js'
import { makeParquet, makeTexts } from '../../support/hub/parquet-files.js'
import { type HubServer, startHubServer } from '../../support/hub/server.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const TEXTS = makeTexts(3000, 100)
const WEIGHTS = Buffer.from(makeTexts(6000, 100, 2).join('\n'))
const FILES = ['config.json', 'weights.bin']
const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const WHOLE = [digest(Buffer.from('{"a": 1}')), digest(WEIGHTS)]

let server: HubServer
let home: string
beforeAll(async () => {
  server = await startHubServer()
  process.env.HF_ENDPOINT = server.endpoint
  process.env.HF_HUB_DOWNLOAD_TIMEOUT = '0.4'
  server.add(
    {
      type: 'dataset',
      id: 'org/rows',
      files: { 'data/train-00000-of-00001.parquet': makeParquet(TEXTS) },
    },
    {
      type: 'dataset',
      id: 'org/lines',
      files: { 'train.jsonl': TEXTS.map((text) => `${JSON.stringify({ text })}\n`).join('') },
    },
    { type: 'model', id: 'org/model', files: { 'config.json': '{"a": 1}', 'weights.bin': WEIGHTS } },
  )
})
afterAll(() => server.close())
beforeEach(() => {
  server.reset()
  home = makeTempFolder()
  process.env.HF_HOME = home
  process.env.LAYERPRUNE_RETRY_SECONDS = '10'
})

async function readTexts(id: string): Promise<string[]> {
  const texts: string[] = []
  for await (const { text } of (await openDataset({ dataset: id })).rows()) texts.push(text)
  return texts
}

const blobs = () => join(home, 'hub/models--org--model/blobs')

async function download(onDownload?: (progress: { doneBytes: number; totalBytes: number }) => void) {
  const source = await openModelSource({ model: 'org/model', onDownload })
  await source.provide(FILES)
  return FILES.map((name) => digest(readFileSync(join(source.folder, name))))
}

const FAULTS: [string, Fault][] = [
  ['429 with Retry-After', { kind: 'status', status: 429, headers: { 'retry-after': '1' } }],
  ['503', { kind: 'status', status: 503 }],
  ['a dropped body', { kind: 'drop', afterBytes: 20_000 }],
  ['a stalled body', { kind: 'stall', afterBytes: 20_000 }],
  ['a body shorter than it should be', { kind: 'short', bytes: 20_000 }],
  ['a page instead of the file', { kind: 'html' }],
]

/** Waits before the next attempt pass ten times as fast. */
function hastenWaits(): void {
  const { setTimeout: wait } = timers
  beforeAll(() => {
    timers.setTimeout = (delayMs, ...rest) => wait(delayMs! / 10, ...rest)
    syncBuiltinESMExports()
  })
  afterAll(() => {
    timers.setTimeout = wait
    syncBuiltinESMExports()
  })
}

describe('a fault that passes leaves no trace', () => {
  hastenWaits()

  it.each(FAULTS)('%s, of a file at the CDN', async (_, fault) => {
    server.fail(/blobs/, fault, 4)
    const [lines, rows, files] = await Promise.all([readTexts('org/lines'), readTexts('org/rows'), download()])
    expect(lines).toEqual(TEXTS)
    expect(rows).toEqual(TEXTS)
    expect(files).toEqual(WHOLE)
    expect(server.requests.length).toBeLessThan(60)
    expect(server.requests.filter(({ at, authorization }) => at === 'cdn' && authorization)).toEqual([])
  })

  it.each(
    FAULTS.filter(([name]) => !/429|stalled/.test(name)).map(
      ([name, fault]) =>
        [
          name,
          'afterBytes' in fault ? { ...fault, afterBytes: 2 } : 'bytes' in fault ? { ...fault, bytes: 2 } : fault,
        ] as const,
    ),
  )('%s, of the API and of a small file', async (_, fault) => {
    server.fail(/\/revision\//, fault)
    server.fail(/\/tree\//, fault)
    server.fail(/resolve-cache/, fault)
    expect(await download()).toEqual(WHOLE)
  })

  it('what came before the connection broke is not sent again', async () => {
    server.fail(/blobs/, { kind: 'drop', afterBytes: 300_000 })
    await download()
    const [first, second] = server.requests.filter(({ at }) => at === 'cdn')
    expect(first!.range).toBeUndefined()
    const resumedAt = Number(/^bytes=(\d+)-$/.exec(second!.range!)![1])
    expect(resumedAt).toBeGreaterThan(0)
    expect(second!.bytesSent).toBe(WEIGHTS.length - resumedAt)
  })
})

it('a wait that the server asks for is kept', async () => {
  server.fail(/revision/, { kind: 'status', status: 429, headers: { 'retry-after': '1' } })
  const startMs = performance.now()
  await download()
  expect(performance.now() - startMs).toBeGreaterThan(1000)
})

describe('a lasting fault ends in a clear error', () => {
  beforeEach(() => {
    process.env.LAYERPRUNE_RETRY_SECONDS = '0.8'
  })

  it.each([
    [
      '503',
      { kind: 'status', status: 503 },
      /answers 503 \(tried (once|\d times), given up after 0\.8 s without progress\)/,
    ],
    ['a dropped body', { kind: 'drop', afterBytes: 0 }, /the connection was lost|ends after 0 of/],
    ['a stalled body', { kind: 'stall', afterBytes: 0 }, /the answer stalled/],
    ['a short body', { kind: 'short', bytes: 0 }, /it ends after 0 of \d+ bytes/],
    ['a page', { kind: 'html' }, /answers with a web page instead of the file/],
    [
      'a long wait',
      { kind: 'status', status: 429, headers: { 'retry-after': '3600' } },
      /answers 429, and asks to wait 3600 s/,
    ],
  ] as [string, Fault, RegExp][])('%s', async (_, fault, message) => {
    server.fail(/blobs/, fault, Infinity)
    await Promise.all([
      expect(readTexts('org/lines')).rejects.toThrow(message),
      expect(download()).rejects.toThrow(message),
    ])
    expect(readdirSync(blobs()).filter((name) => /^[0-9a-f]{64}$/.test(name))).toEqual([])
    expect(server.requests.length).toBeLessThan(30)
  })

  it('content that is not what was announced never gets its name', async () => {
    server.fail(/blobs/, { kind: 'corrupt' }, Infinity)
    await expect(download()).rejects.toThrow(
      /weights\.bin of model org\/model: its content is not what the Hub announced/,
    )
    expect(readdirSync(blobs()).filter((name) => name.length !== 40)).toEqual([])
    server.reset()
    expect(await download()).toEqual(WHOLE)
  })

  it('content that is wrong once is fetched again', async () => {
    server.fail(/blobs/, { kind: 'corrupt' })
    server.fail(/resolve-cache/, { kind: 'corrupt' })
    expect(await download()).toEqual(WHOLE)
  })

  it('redirects and pages that lead in circles', async () => {
    const location = `${server.endpoint}/datasets/org/lines/resolve/main/train.jsonl`
    server.fail(/blobs/, { kind: 'status', status: 302, headers: { location } }, Infinity)
    server.fail(/lines\/resolve\/main/, { kind: 'status', status: 302, headers: { location } }, Infinity)
    await expect(readTexts('org/lines')).rejects.toThrow(/redirects in circles/)
    const link = `<${server.endpoint}/api/models/org/model/tree/${server.commitOf('org/model')}?recursive=true>; rel="next"`
    server.fail(/\/tree\//, { kind: 'list', headers: { link } }, Infinity)
    await expect(download()).rejects.toThrow(/the list has no end/)
    expect(server.requests.length).toBeLessThan(20)
  })

  it('a server that is not there', async () => {
    process.env.HF_ENDPOINT = 'http://127.0.0.1:1'
    try {
      await expect(download()).rejects.toThrow(
        /org\/model is not a local folder, and the Hub cannot be reached: .*127\.0\.0\.1:1: the connection is refused/,
      )
    } finally {
      process.env.HF_ENDPOINT = server.endpoint
    }
  })
})

describe('a download that was stopped', () => {
  it('is continued by the next run', async () => {
    process.env.LAYERPRUNE_RETRY_SECONDS = '0.1'
    server.fail(/blobs/, { kind: 'drop', afterBytes: 300_000 })
    server.fail(/blobs/, { kind: 'drop', afterBytes: 0 }, Infinity)
    await expect(download()).rejects.toThrow(/the connection was lost|ends after/)
    const [partial] = readdirSync(blobs()).filter((name) => name.endsWith('.incomplete'))
    const received = readFileSync(join(blobs(), partial!)).length
    expect(received).toBeGreaterThan(0)
    server.reset()
    const done: number[] = []
    expect(await download(({ doneBytes }) => done.push(doneBytes))).toEqual(WHOLE)
    const sent = server.requests.filter(({ at }) => at === 'cdn').map(({ range, bytesSent }) => ({ range, bytesSent }))
    expect(sent).toEqual([{ range: `bytes=${received}-`, bytesSent: WEIGHTS.length - received }])
    expect(done).toEqual([...done].sort((a, b) => a - b))
    expect(done.at(-1)).toBe(WEIGHTS.length)
    expect(readdirSync(blobs()).some((name) => name.endsWith('.incomplete'))).toBe(false)
  })

  it('starts again if what it left belongs to something else', async () => {
    const { folder } = await openModelSource({ model: 'org/model' }).then(async (source) => {
      await source.provide(['config.json'])
      return source
    })
    const hash = server.requests.map(({ url }) => /blobs\/([0-9a-f]{64})/.exec(url)?.[1]).find(Boolean)
    expect(hash).toBeUndefined()
    await download()
    const [name] = readdirSync(blobs()).filter((blob) => blob.length === 64)
    rmSync(join(blobs(), name!))
    rmSync(join(folder, 'weights.bin'))
    writeFileSync(join(blobs(), `${name}.${'0'.repeat(16)}.free.incomplete`), 'other bytes')
    expect(await download()).toEqual(WHOLE)
  })

  const HASH = digest(WEIGHTS)
  const partialNames = () => readdirSync(blobs()).filter((name) => name.endsWith('.incomplete'))
  const leavePartial = (name: string, bytes: number, ageMs = 0) => {
    const path = join(blobs(), `${HASH}.${name}.incomplete`)
    mkdirSync(blobs(), { recursive: true })
    writeFileSync(path, WEIGHTS.subarray(0, bytes))
    const date = new Date(Date.now() - ageMs)
    utimesSync(path, date, date)
    return path
  }

  it('because it was killed is continued from a copy, and removed once it is old', async () => {
    const young = leavePartial('a'.repeat(16), 1000)
    const old = leavePartial('b'.repeat(16), 300_000, 11 * 60_000)
    const ofPython = leavePartial('c'.repeat(8), 400_000, 11 * 60_000)
    expect(await download()).toEqual(WHOLE)
    expect(server.requests.filter(({ at }) => at === 'cdn').map(({ range }) => range)).toEqual(['bytes=300000-'])
    expect(existsSync(old)).toBe(false)
    expect(partialNames().sort()).toEqual([young, ofPython].map((path) => basename(path)).sort())
    utimesSync(young, 0, 0)
    await download()
    expect(partialNames()).toEqual([basename(ofPython)])
  })

  it('of a file that nobody came back for is removed after a week', async () => {
    const other = (ageDays: number) => {
      const path = join(blobs(), `${'1'.repeat(64)}.${'0'.repeat(15)}${ageDays}.incomplete`)
      writeFileSync(path, 'x')
      utimesSync(path, 0, Date.now() / 1000 - ageDays * 86_400)
      return path
    }
    mkdirSync(blobs(), { recursive: true })
    const [kept, removed] = [other(6), other(8)]
    await download()
    expect([existsSync(kept), existsSync(removed)]).toEqual([true, false])
  })

  /** The partial file of a download that is under way. */
  const waitForPartial = () =>
    vi.waitFor(() => {
      const path = join(blobs(), partialNames().find((name) => name.startsWith(HASH))!)
      expect(statSync(path).size).toBeGreaterThan(50_000)
      return path
    })

  it('what another process writes into its file is never published', async () => {
    server.fail(/blobs/, { kind: 'slow', bytes: 20_000, everyMs: 10 })
    const done = download()
    writeFileSync(await waitForPartial(), 'other', { flag: 'r+' })
    expect(await done).toEqual(WHOLE)
    expect(server.requests.filter(({ at }) => at === 'cdn').length).toBe(2)
  })

  it('a partial file that another process removes is fetched again', async () => {
    server.fail(/blobs/, { kind: 'slow', bytes: 20_000, everyMs: 10 })
    const done = download()
    rmSync(await waitForPartial())
    expect(await done).toEqual(WHOLE)
  })
})

describe('a server that sends next to nothing', () => {
  beforeEach(() => {
    process.env.LAYERPRUNE_RETRY_SECONDS = '0.5'
  })

  it.each([
    ['a file', /blobs/],
    ['the API', /\/tree\//],
  ])('is given up: %s', async (_, match) => {
    server.fail(match, { kind: 'slow', bytes: 1, everyMs: 10 }, Infinity)
    await expect(download()).rejects.toThrow(
      /the answer arrives too slowly, at less than 1024 bytes per second \(tried/,
    )
  })

  it('does not hold up a redirect', async () => {
    const location = `/datasets/org/lines/resolve/main/train.jsonl`
    server.fail(/lines\/resolve/, { kind: 'slowRedirect', location })
    expect(await readTexts('org/lines')).toEqual(TEXTS)
  })

  it('is waited for if its bytes are few but enough', async () => {
    server.fail(/blobs/, { kind: 'slow', bytes: 4000, everyMs: 3 })
    expect(await download()).toEqual(WHOLE)
  })
})

describe('a dataset that is replaced while it is read', () => {
  const exported = (version: string) => ({
    type: 'dataset' as const,
    id: 'org/moving',
    files: {},
    parquet: {
      default: {
        train: [0, 1].map((part) =>
          makeParquet(
            makeTexts(3000, 100, part + 1).map((text) => `${version} ${text}`),
            500,
          ),
        ),
      },
    },
  })
  beforeEach(() => server.add(exported('old')))

  it.each([
    ['in a file', 10],
    ['between files', 3000],
  ])('is refused %s', async (_, count) => {
    server.replace(exported('old'))
    const rows = (await openDataset({ dataset: 'org/moving' })).rows()
    for (let i = 0; i < count; i++) expect((await rows.next()).value.text).toMatch(/^old/)
    server.replace(exported('new'))
    server.forget()
    const rest = async () => {
      for await (const { text } of rows) expect(text).toMatch(/^old/)
    }
    await expect(rest()).rejects.toMatchObject({
      message: expect.stringMatching(
        /^org\/moving\/default\/train\/[01]\.parquet: changed while it was read: expected commit [0-9a-f]{40}, found [0-9a-f]{40}$/,
      ),
      hint: 'run it again',
    })
  })

  it('is refused by the ETag of a server that names no commit', async () => {
    const parquet = makeParquet(makeTexts(3000, 100), 500)
    const etag = (name: string): Fault => ({ kind: 'etag', etag: name })
    server.add({
      type: 'dataset',
      id: 'org/etag',
      files: {},
      parquet: { default: { train: [parquet] } },
    })
    server.fail(/blobs/, etag('"a"'), 1)
    server.fail(/blobs/, etag('W/"a"'), 1)
    server.fail(/blobs/, etag('"b"'), Infinity)
    await expect(readTexts('org/etag')).rejects.toThrow(/changed while it was read: expected content .*"a", found "b"/)
  })
})

import { randomBytes } from 'node:crypto'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { expect, test, vi } from 'vitest'
import { UsageError } from '../../../src/base/errors.js'
import type { DataSource } from '../../../src/files/byte-source.js'
import { createDataset, openDataset } from '../../../src/texts/data/dataset.js'
import { readTextDocument } from '../../../src/texts/data/text.js'
import { FIXTURES } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'
import { collect, inPieces, listOpenFiles, readAll, readError } from './helpers.js'

/** Two frames, packed by the zstd program. */
const ZSTD = Buffer.from(
  'KLUv/SQ2TQEABAJ7ImlkIjowLCJ0ZXh0IjoicGFja2VkIDAifQoxMSJ9CgIAAIl9mGP8adt2KLUv/SQb2QAAeyJpZCI6MiwidGV4dCI6InBhY2tlZCAyIn0KjxCnDg==',
  'base64',
)

const nameOf = (id: string) => ({ id, config: null, split: null, revision: null })
const PARQUET = join(FIXTURES, 'data/snappy.parquet')

async function makeMixedFolder() {
  const folder = makeTempFolder()
  await mkdir(join(folder, 'd/c.sub'), { recursive: true })
  await writeFile(join(folder, 'd/b.jsonl'), '{"text":"b1"}\n{"text":"b2"}\n')
  await writeFile(join(folder, 'd/a.csv.gz'), gzipSync('text\na1\n'))
  await writeFile(join(folder, 'd/c.sub/x.JSON'), '[{"text":"x1"}]')
  await writeFile(join(folder, 'd/d.md'), 'a document\n\nof three lines\n')
  await writeFile(join(folder, 'd/README.md'), 'the card')
  await writeFile(join(folder, 'd/dataset_info.json'), '{"features":{}}')
  await writeFile(join(folder, 'd/.hidden.txt'), 'hidden')
  await writeFile(join(folder, 'd/picture.png'), 'png')
  return folder
}

test('a folder of several kinds is read in name order, recursively', async () => {
  const folder = await makeMixedFolder()
  const expected = ['a1', 'b1', 'b2', 'x1', 'a document\n\nof three lines\n']
  const { texts, origins } = await readAll(folder, ['d'])
  expect(texts).toEqual(expected)
  expect(origins).toEqual(['d/a.csv.gz:2', 'd/b.jsonl:1', 'd/b.jsonl:2', 'd/c.sub/x.JSON:1', 'd/d.md'])
})

test('several files and folders are read in the order given, a named README too', async () => {
  const folder = await makeMixedFolder()
  const { texts } = await readAll(folder, ['d/README.md', 'd/b.jsonl', 'd/c.sub'])
  expect(texts).toEqual(['the card', 'b1', 'b2', 'x1'])
  const dataset = await openDataset({ dataset: ['a/b.jsonl', 'c'].map(() => folder) })
  expect(dataset.id).toBe(`${folder}, ${folder}`)
})

test('a path that exists as it is named has no share', async () => {
  const folder = makeTempFolder()
  const path = join(folder, 'texts:0.5')
  await mkdir(path)
  await writeFile(join(path, 'a.jsonl'), '{"text":"a1"}\n')
  const { id, shares } = await openDataset({ dataset: path })
  expect({ id, shares }).toEqual({ id: path, shares: undefined })
  const mix = await openDataset({ dataset: [`${path}:1`, `${path}:3`] })
  expect(mix.shares).toEqual([
    { id: path, share: 0.25 },
    { id: path, share: 0.75 },
  ])
})

test('links are followed, round trips are not', async () => {
  const folder = await makeMixedFolder()
  await mkdir(join(folder, 'links'))
  await symlink('../d/b.jsonl', join(folder, 'links/one.jsonl'))
  await symlink('../d/c.sub', join(folder, 'links/two'))
  await symlink('.', join(folder, 'links/zero'))
  expect((await readAll(folder, ['links'])).origins).toEqual([
    'links/one.jsonl:1',
    'links/one.jsonl:2',
    'links/two/x.JSON:1',
  ])
  await symlink('nowhere', join(folder, 'links/three.txt'))
  expect((await readError(folder, ['links'])).message).toBe('no dataset file or folder at links/three.txt')
})

test('wrong paths and options are refused before anything is read', async () => {
  const folder = makeTempFolder()
  await writeFile(join(folder, 'a.xlsx'), '')
  await writeFile(join(folder, 'a.parquet.gz'), '')
  await mkdir(join(folder, 'empty'))
  const messageOf = async (path: string) => (await readError(folder, [path])).message
  expect(await messageOf('none.jsonl')).toBe('no dataset file or folder at none.jsonl')
  expect(await messageOf('a.xlsx/b.jsonl')).toBe('no dataset file or folder at a.xlsx/b.jsonl')
  expect(await messageOf('a.xlsx')).toMatch(/^dataset file a\.xlsx is of an unknown kind: expected .*\.jsonl/)
  expect(await messageOf('a.parquet.gz')).toMatch(/unknown kind/)
  expect(await messageOf('empty')).toMatch(/^no dataset files in folder empty: expected .*; found nothing$/)
  expect(await messageOf('.')).toMatch(/; found a\.parquet\.gz, a\.xlsx, empty$/)
  for (const datasetSize of [0, -1, 1.5, Number.NaN]) {
    await expect(openDataset({ dataset: folder, datasetSize })).rejects.toThrow(UsageError)
  }
  await expect(openDataset({ dataset: [] })).rejects.toThrow(UsageError)
})

test('the limit counts texts over files, and nothing is read beyond it', async () => {
  const folder = makeTempFolder()
  await writeFile(join(folder, 'a.jsonl'), '{"text":""}\n{"text":"a1"}\n{"text":null}\n{"text":"a2"}\n')
  await writeFile(join(folder, 'b.jsonl'), '{"text":"b1"}\nmalformed\n')
  expect(await readAll(folder, ['a.jsonl', 'b.jsonl'], { datasetSize: 3 })).toEqual({
    texts: ['a1', 'a2', 'b1'],
    origins: ['a.jsonl:2', 'a.jsonl:4', 'b.jsonl:1'],
    skipped: { empty: 1, notText: 1 },
  })
  expect((await readError(folder, ['a.jsonl', 'b.jsonl'], { datasetSize: 4 })).message).toMatch(/^b\.jsonl:2: /)
})

test('plain text is a document a file, or a line with textLines', async () => {
  const folder = makeTempFolder()
  await writeFile(join(folder, 'a.txt'), '\uFEFFone 🙂\r\n\r\n  \r\ntwo\r\n')
  await writeFile(join(folder, 'b.text'), ' \n')
  expect(await readAll(folder, ['a.txt', 'b.text'])).toEqual({
    texts: ['one 🙂\r\n\r\n  \r\ntwo\r\n'],
    origins: ['a.txt'],
    skipped: { empty: 1, notText: 0 },
  })
  expect(await readAll(folder, ['a.txt', 'b.text'], { textLines: true })).toEqual({
    texts: ['one 🙂', 'two'],
    origins: ['a.txt:1', 'a.txt:4'],
    skipped: { empty: 3, notText: 0 },
  })
  await writeFile(join(folder, 'c.txt'), Buffer.from('\uFEFFutf-16', 'utf16le'))
  expect((await readError(folder, ['c.txt'])).message).toBe(
    'c.txt: expected UTF-8 text, found other bytes after byte 0',
  )
  const long = collect(readTextDocument(inPieces('x'.repeat(2000), 100), 'x.txt', 1000))
  await expect(long).rejects.toMatchObject({
    message: 'x.txt: expected a document of at most 1000 bytes, found more',
    hint: expect.stringContaining('`textLines`'),
  })
})

test('gzip of several members is read; one that is cut short, damaged or empty is refused', async () => {
  const folder = makeTempFolder()
  const rows = Array.from({ length: 20_000 }, (_, i) => `{"text":"row ${i} ${(i * 7919) % 1009}"}\n`)
  const packed = Buffer.concat([gzipSync(rows.slice(0, 9).join('')), gzipSync(rows.slice(9).join(''))])
  await writeFile(join(folder, 'a.jsonl.gz'), packed)
  expect((await readAll(folder, ['a.jsonl.gz'])).texts).toHaveLength(20_000)
  const messageFor = async (content: string | Uint8Array) => {
    await writeFile(join(folder, 'b.jsonl.gz'), content)
    return (await readError(folder, ['b.jsonl.gz'])).message
  }
  expect(await messageFor(packed.subarray(0, 50_000))).toBe(
    'b.jsonl.gz: cut short: the gzip data ends after 50000 bytes',
  )
  expect(await messageFor('{"text":"not packed"}')).toBe('b.jsonl.gz: not valid gzip data: incorrect header check')
  expect(await messageFor('')).toBe('b.jsonl.gz: cut short: the gzip data ends after 0 bytes')
})

test('each call of rows reads from the beginning and counts from zero', async () => {
  const folder = makeTempFolder()
  await writeFile(join(folder, 'a.jsonl'), '{"text":""}\n{"text":"a"}\n')
  const dataset = await openDataset({ dataset: join(folder, 'a.jsonl') })
  const first = await collect(dataset.rows())
  expect(await collect(dataset.rows())).toEqual(first)
  expect(dataset.skipped).toEqual({ empty: 1, notText: 0 })
})

/** A stream that is given up closes its file a moment later. */
async function expectAllClosed(folder: string, when: string): Promise<void> {
  await vi.waitFor(async () => expect(await listOpenFiles(folder), when).toEqual([]))
}

test('files are closed when reading ends early, fails or is aborted', async (context) => {
  const folder = makeTempFolder()
  const rows = Array.from({ length: 20_000 }, () => ({ text: randomBytes(40).toString('base64') }))
  const lines = rows.map((row) => JSON.stringify(row)).join('\n')
  await writeFile(join(folder, 'a.jsonl'), lines)
  await writeFile(join(folder, 'a.jsonl.gz'), gzipSync(lines))
  await writeFile(join(folder, 'a.json'), JSON.stringify(rows))
  await writeFile(join(folder, 'a.csv'), `text\n${rows.map((row) => row.text).join('\n')}`)
  await writeFile(join(folder, 'a.txt'), lines)
  await writeFile(join(folder, 'a.parquet'), await readFile(PARQUET))
  if (!(await listOpenFiles(folder))) context.skip()

  for (const name of ['a.jsonl', 'a.jsonl.gz', 'a.json', 'a.csv', 'a.txt', 'a.parquet']) {
    const path = join(folder, name)
    const options = { dataset: path, textLines: true }
    for await (const _ of (await openDataset(options)).rows()) {
      expect(await listOpenFiles(folder)).toEqual([path])
      break
    }
    await expectAllClosed(folder, `${name} ended early`)

    await collect((await openDataset({ ...options, datasetSize: 3 })).rows())
    await expectAllClosed(folder, `${name} limited`)

    const controller = new AbortController()
    const aborted = (await openDataset({ ...options, signal: controller.signal })).rows()
    await aborted.next()
    controller.abort('stop now')
    await expect(aborted.next()).rejects.toBe('stop now')
    await expectAllClosed(folder, `${name} aborted`)
  }
  for (const name of ['a.jsonl', 'a.json', 'a.csv', 'a.parquet', 'a.jsonl.gz']) {
    await readError(folder, [name], { datasetColumn: 'none' })
    await expectAllClosed(folder, `${name} failed`)
  }
})

/** A source of `count` chunks that counts what is asked of it. */
function makeSource(chunk: Uint8Array, count: number, head = '') {
  const state = { chunksRead: 0, closed: false }
  const source: DataSource = {
    name: 'generated',
    async *readBytes() {
      try {
        if (head) yield Buffer.from(head)
        while (state.chunksRead < count) {
          state.chunksRead++
          await setImmediate()
          yield chunk
        }
      } finally {
        state.closed = true
      }
    },
    openRandomAccess: () => Promise.reject(new Error('not asked for')),
  }
  return { source, state }
}

test('an abort stops the reading of rows that yield nothing', async () => {
  const { source, state } = makeSource(Buffer.from('{"text":""}\n'.repeat(1000)), Infinity)
  const controller = new AbortController()
  const reason = new Error('enough')
  setTimeout(() => controller.abort(reason), 20)
  for (const format of ['jsonl', 'json'] as const) {
    const options = { signal: controller.signal }
    const dataset = createDataset(nameOf('endless'), [{ source, kind: { format, packing: null } }], options)
    await expect(collect(dataset.rows())).rejects.toBe(reason)
  }
  expect(state.closed).toBe(true)
})

test.each([
  ['jsonl', '', '{"id":1,"text":"some words that are read and dropped"}\n'],
  ['json', '[', '{"id":1,"text":"some words that are read and dropped"},\n'],
  ['csv', 'id,text\n', '1,"some words that are read and dropped"\n'],
  ['text', '', 'some words that are read and dropped\n'],
] as const)('%s: reads little ahead of the rows it yields', async (format, head, row) => {
  const chunk = Buffer.from(row.repeat(1000))
  const { source, state } = makeSource(chunk, 50, head)
  const options = { textLines: true, datasetSize: 49_000 }
  const rows = createDataset(nameOf('generated'), [{ source, kind: { format, packing: null } }], options).rows()
  let count = 0
  let chunksAhead = 0
  for await (const _ of rows) chunksAhead = Math.max(chunksAhead, state.chunksRead - count++ / 1000)
  expect(count).toBe(49_000)
  expect(chunksAhead).toBeLessThan(5)
  expect(state.closed).toBe(true)
})

test('memory does not grow with the dataset: 200 MB of gzipped rows', async () => {
  const row = `{"text":"${'some words of a long row, read and dropped '.repeat(100)}"}\n`
  const member = gzipSync(row.repeat(250))
  const count = Math.ceil(2e8 / (row.length * 250))
  const { source } = makeSource(member, count)
  const dataset = createDataset(nameOf('generated'), [{ source, kind: { format: 'jsonl', packing: 'gzip' } }], {})
  const measure = () => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers
  const before = measure()
  let rows = 0
  let peak = 0
  for await (const { text } of dataset.rows()) {
    expect(text.length).toBeGreaterThan(4000)
    if (++rows % 500 === 0) peak = Math.max(peak, measure() - before)
  }
  expect(rows).toBe(count * 250)
  expect(peak).toBeLessThan(1e8)
})

test('Zstandard of several frames is read; one that is cut short or damaged is refused', async () => {
  const folder = makeTempFolder()
  await writeFile(join(folder, 'a.jsonl.zst'), ZSTD)
  expect((await readAll(folder, ['a.jsonl.zst'])).texts).toEqual(['packed 0', 'packed 1', 'packed 2'])
  const messageFor = async (content: Uint8Array) => {
    await writeFile(join(folder, 'b.jsonl.zst'), content)
    return (await readError(folder, ['b.jsonl.zst'])).message
  }
  expect(await messageFor(ZSTD.subarray(0, -3))).toBe(
    `b.jsonl.zst: cut short: the zstd data ends after ${ZSTD.length - 3} bytes`,
  )
  expect(await messageFor(Buffer.from('{"text":"not packed"}'))).toMatch(/^b\.jsonl\.zst: not valid zstd data: /)
})

test('a shuffled dataset on disk has every row once, in an order that the seed decides', async () => {
  const folder = makeTempFolder()
  for (const file of ['a', 'b', 'c']) {
    const lines = Array.from({ length: 700 }, (_, i) => `{"text":"${file}${i}"}\n`)
    await writeFile(join(folder, `${file}.jsonl`), lines.join(''))
  }
  const texts = async (options: object) => (await readAll(folder, ['.'], options)).texts
  const [first, again, other] = await Promise.all([5, 5, 6].map((shuffle) => texts({ shuffle })))
  expect(new Set(first).size).toBe(2100)
  expect(again).toEqual(first)
  expect(other).not.toEqual(first)
  expect([...other!].sort()).toEqual([...first!].sort())
  const sample = await texts({ shuffle: 5, datasetSize: 60 })
  expect(sample).toEqual(first!.slice(0, 60))
  for (const file of ['a', 'b', 'c']) expect(sample.filter((text) => text[0] === file).length).toBeGreaterThan(8)
  expect(await texts({ skipRows: 1400, datasetSize: 1 })).toEqual(['c0'])
  await expect(texts({ shuffle: -1 })).rejects.toThrow(UsageError)
})

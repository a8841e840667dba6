import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openDataset } from '../../../../src/texts/data/dataset.js'
import { makeParquet, makeTexts } from '../../../support/hub/parquet-files.js'
import { readSample } from '../../../support/hub/read-sample.js'
import type { RepoContent } from '../../../support/hub/repos.js'
import { SAMPLES } from '../../../support/hub/sample-datasets.js'
import { type HubServer, startHubServer } from '../../../support/hub/server.js'
import { FIXTURES } from '../../../support/paths.js'

const TYPES = readFileSync(join(FIXTURES, 'data/types.parquet'))
const toJsonl = (texts: string[]) => texts.map((text) => `${JSON.stringify({ text })}\n`).join('')
const range = (count: number) => Array.from({ length: count }, (_, i) => i)

const OUTDATED: RepoContent = {
  type: 'dataset',
  id: 'org/outdated',
  files: { 'train.jsonl': toJsonl(['own']) },
  parquet: { default: { train: [makeParquet(['old'])] } },
  isParquetOld: true,
}

let server: HubServer
beforeAll(async () => {
  server = await startHubServer({ pageSize: 100 })
  server.add(...new Set(Object.values(SAMPLES).map(({ repo }) => repo)))
  process.env.HF_ENDPOINT = server.endpoint
})
afterAll(() => server.close())
beforeEach(() => server.reset())

const bytesSent = () => server.requests.reduce((sum, request) => sum + request.bytesSent, 0)
const urls = (pattern: RegExp) => server.requests.map(({ url }) => url).filter((url) => pattern.test(url))

/** The first `count` texts of a dataset, or all of them. */
async function read(id: string, options: Partial<Parameters<typeof openDataset>[0]> = {}) {
  const texts: string[] = []
  const dataset = await openDataset({ dataset: id, ...options })
  for await (const { text } of dataset.rows()) texts.push(text)
  return texts
}

describe('rows come in the order of Python', () => {
  // test/interop/hub.test.ts has Python read all of them
  it.each([
    ['another split of it', ['t0', 't1']],
    ['a split of its own name', ['x0']],
    ['the default of several configurations', ['de 1', 'de 10', 'de 2']],
    ['a named configuration', ['en a0', 'en b0', 'en b1']],
    ['a list of patterns', ['first', 'first', 'second']],
    ['patterns over folders', ['deep a.b/y', 'deep a/z', 'deep x']],
    ['a revision', ['version 1']],
    ['folders by split', ['train a0', 'train, a1', 'train b0']],
    ['folders by split, called otherwise', ['val c0']],
    ['text files by split', ['first', 'line 1', 'line 2', ' line 4']],
    ['text files of the test split', ['held out']],
    ['an old name and another column', ['s0', 's1']],
    ['gzip, Zstandard and an empty file', ['gz 0', 'gz 1', 'packed 0', 'packed 1', 'packed 2', 'plain']],
  ])('%s', async (name, texts) => {
    expect(await readSample(server, SAMPLES[name]!)).toEqual(texts)
  })

  it('sharded parquet with an empty part, and unicode in texts and names', async () => {
    const texts = await readSample(server, SAMPLES['sharded parquet with an empty part']!)
    expect(texts.slice(0, 3)).toEqual(['a0', 'a2', 'a4'])
    expect(texts[4]).toBe('日本語のテキスト')
    expect(texts.slice(9)).toEqual(makeTexts(2500, 20))
    const unicode = await readSample(server, SAMPLES['unicode in texts and names']!)
    expect(unicode.slice(-2)).toEqual(['full-width', 'beyond the first plane comes last'])
  })

  it('names origins by file and row', async () => {
    const dataset = await openDataset({ dataset: 'org/folders' })
    const { value } = await dataset.rows().next()
    expect(value).toMatchObject({ text: 'train a0', origin: 'org/folders/train/a.csv:2' })
    expect(dataset).toMatchObject({
      config: 'default',
      split: 'train',
      revision: server.commitOf('org/folders'),
    })
  })
})

describe("the Hub's parquet files", () => {
  beforeAll(() =>
    server.add(OUTDATED, {
      type: 'dataset',
      id: 'org/exported',
      files: { 'train.jsonl': toJsonl(['own']), 'other/x.bin': 'x' },
      branches: { v1: { 'train.jsonl': toJsonl(['own of v1']) } },
      parquet: {
        a: {
          train: [makeParquet(['a0', 'a1']), makeParquet(['a2'])],
          'partial-test': [makeParquet(['part'])],
        },
        default: { train: [makeParquet(['d0'])] },
      },
    }),
  )

  it('come before the own files', async () => {
    expect(await read('org/exported')).toEqual(['d0'])
    expect(await read('org/exported', { datasetConfig: 'a' })).toEqual(['a0', 'a1', 'a2'])
    expect(urls(/tree|train\.jsonl/)).toEqual([])
  })

  it('are not used for a revision with files of its own, nor if they are partial, old or unavailable', async () => {
    expect(await read('org/exported', { datasetRevision: 'v1' })).toEqual(['own of v1'])
    await expect(read('org/exported', { datasetConfig: 'a', datasetSplit: 'test' })).rejects.toThrow(
      /no configuration 'a'; it has default/,
    )
    expect(await read('org/outdated')).toEqual(['own'])
    server.fail(/parquet$/, { kind: 'status', status: 501 })
    expect(await read('org/exported')).toEqual(['own'])
  })
})

describe('what a dataset does not have is refused by naming what it has', () => {
  beforeAll(() =>
    server.add(
      { type: 'dataset', id: 'org/types', files: { 'data/train-00000-of-00001.parquet': TYPES } },
      {
        type: 'dataset',
        id: 'org/several',
        files: {
          'README.md':
            '---\nconfigs:\n- config_name: a\n  data_files: a.jsonl\n- config_name: b\n  data_files: b.jsonl\n---\n',
          'a.jsonl': toJsonl(['a']),
        },
      },
      { type: 'dataset', id: 'org/pictures', files: { 'train/1.png': 'png', 'train/2.png': 'png' } },
      { type: 'dataset', id: 'org/empty', files: { '.gitattributes': '' } },
      {
        type: 'dataset',
        id: 'org/broken',
        files: { 'README.md': '---\nconfigs: [\n---\n', 'a.csv': 'text\na\n' },
      },
      {
        type: 'dataset',
        id: 'org/hostile',
        files: { 'README.md': '---\nconfigs:\n- config_name: x\n  data_files: ../../secret.jsonl\n---\n' },
      },
    ),
  )

  it.each([
    ['org/several', {}, 'dataset org/several has several configurations: a, b', '`datasetConfig: a`'],
    ['org/several', { datasetConfig: 'c' }, "no configuration 'c'; it has a, b", '`datasetConfig: a`'],
    ['org/several', { datasetConfig: 'b' }, 'org/several/b.jsonl is not there', undefined],
    ['org/sharded', { datasetSplit: 'dev' }, "no split 'dev'; it has", '`datasetSplit'],
    ['org/folders', { datasetSplit: 'dev' }, "no split 'dev'; it has train, validation", '`datasetSplit: train`'],
    [
      'org/configs',
      { datasetConfig: 'en', datasetSplit: 'dev' },
      "(configuration en) has no split 'dev'; it has train, test",
      '`datasetSplit: train`',
    ],
    ['org/types', {}, 'columns: id, score, words, meta, blob, when, body', '`datasetColumn: body`'],
    ['org/types', { datasetColumn: 'words' }, 'expected a column of strings or chats, found list', undefined],
    ['org/types', { datasetColumn: 'meta' }, 'expected a column of strings or chats, found struct', undefined],
    [
      'org/folders',
      { datasetColumn: 'body' },
      "column 'body' is not in org/folders/train/a.csv; columns: id, text",
      undefined,
    ],
    ['org/pictures', {}, 'has no data files for **/train/**', undefined],
    ['org/empty', {}, 'dataset org/empty has no files', undefined],
    ['org/broken', {}, 'malformed: invalid YAML', undefined],
    ['org/hostile', {}, 'unsafe file', undefined],
    ['org/none', {}, 'org/none is not a local file or folder, and the Hub has no dataset org/none', 'HF_TOKEN'],
    [
      'org/folders',
      { datasetRevision: 'v9' },
      'dataset org/folders has no revision v9',
      '/datasets/org/folders/tree/main',
    ],
  ] as const)('%s %j', async (id, options, message, hint) => {
    await expect(read(id, options)).rejects.toMatchObject({
      name: expect.stringMatching(/Error$/),
      message: expect.stringContaining(message),
      ...(hint === undefined ? {} : { hint: expect.stringContaining(hint) }),
    })
  })
})

describe('no more is read than is needed', () => {
  const texts = makeTexts(14_000, 1700)
  const large = { groups: makeParquet(texts), one: makeParquet(texts, texts.length) }
  beforeAll(() => {
    const many = Object.fromEntries(
      range(600).map((i) => [`part-${String(i).padStart(5, '0')}.jsonl`, toJsonl([`${i}`])]),
    )
    server.add(
      { type: 'dataset', id: 'org/large', files: {}, parquet: { default: { train: [large.groups] } } },
      { type: 'dataset', id: 'org/large-own', files: { 'data/train-00000-of-00001.parquet': large.one } },
      { type: 'dataset', id: 'org/lines', files: { 'train.jsonl': toJsonl(texts) } },
      {
        type: 'dataset',
        id: 'org/many',
        files: { ...many, 'README.md': '---\nconfigs:\n- config_name: x\n  data_files: part-*.jsonl\n---\n' },
      },
    )
  })

  it.each(['org/large', 'org/large-own'])('20 texts of 10 MB of parquet cost under 1 MB: %s', async (id) => {
    expect(large.groups.length).toBeGreaterThan(9.5e6)
    expect(await read(id, { datasetSize: 20 })).toEqual(texts.slice(0, 20))
    expect(bytesSent()).toBeLessThan(1e6)
    expect(server.requests.length).toBeLessThan(20)
  })

  it('whole parquet files are read right, in few requests', async () => {
    expect(await read('org/large-own')).toEqual(texts)
    expect(bytesSent()).toBeLessThan(1.1 * large.one.length)
    expect(server.requests.length).toBeLessThan(40)
  })

  it('20 lines of a large file leave the rest of it at the server', async () => {
    expect(await read('org/lines', { datasetSize: 20 })).toEqual(texts.slice(0, 20))
    expect(urls(/blobs/).length).toBe(1)
  })

  it('the first row comes before a large folder is listed to its end', async () => {
    const rows = (await openDataset({ dataset: 'org/many' })).rows()
    expect((await rows.next()).value.text).toBe('0')
    expect(urls(/\/tree\//).length).toBe(1)
    let count = 1
    for await (const { text } of rows) expect(text).toBe(`${count++}`)
    expect(count).toBe(600)
    expect(urls(/\/tree\//).length).toBe(7)
  })

  it('rows at the start are skipped without reading them if they fill row groups', async () => {
    expect(await read('org/large', { skipRows: 5003, datasetSize: 2 })).toEqual(texts.slice(5003, 5005))
    expect(bytesSent()).toBeLessThan(1e6)
    expect(await read('org/many', { skipRows: 598 })).toEqual(['598', '599'])
  })
})

describe('a shuffled sample', () => {
  beforeAll(() => {
    const files = Object.fromEntries(
      range(6).map((file) => [
        `data/train-0000${file}-of-00006.parquet`,
        makeParquet(
          range(500).map((row) => `${file}/${row}`),
          50,
        ),
      ]),
    )
    server.add({ type: 'dataset', id: 'org/shuffled', files })
  })

  it('is spread over the files and row groups, and the same for the same seed', async () => {
    const sample = await read('org/shuffled', { shuffle: 1, datasetSize: 120 })
    expect(await read('org/shuffled', { shuffle: 1, datasetSize: 120 })).toEqual(sample)
    expect(await read('org/shuffled', { shuffle: 2, datasetSize: 120 })).not.toEqual(sample)
    for (const file of range(6)) {
      const rows = sample.filter((text) => text.startsWith(`${file}/`)).map((text) => Number(text.split('/')[1]))
      expect(rows.length).toBeGreaterThan(8)
      expect(new Set(rows.map((row) => Math.floor(row / 50))).size).toBeGreaterThan(1)
    }
  })

  it('holds every row once if all are taken, and can start after some', async () => {
    const all = await read('org/shuffled', { shuffle: 3 })
    expect(new Set(all).size).toBe(3000)
    expect(all.length).toBe(3000)
    expect(await read('org/shuffled', { shuffle: 3, skipRows: 10, datasetSize: 5 })).toEqual(all.slice(10, 15))
  })
})

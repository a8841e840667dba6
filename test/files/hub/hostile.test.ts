import { rmSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { LayerpruneError } from '../../../src/base/errors.js'
import { createRandom, type Random } from '../../../src/base/random.js'
import { openModelSource } from '../../../src/files/checkpoint/open-model-source.js'
import { resolveAddress } from '../../../src/files/hub/answers.js'
import { openDataset } from '../../../src/texts/data/dataset.js'
import type { Fault } from '../../support/hub/answers.js'
import { makeParquet } from '../../support/hub/parquet-files.js'
import { type HubServer, startHubServer } from '../../support/hub/server.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const MODEL = { 'config.json': '{"a": 1}', 'weights.bin': Buffer.alloc(10_000, 'weights') }

let server: HubServer
let home: string
beforeAll(async () => {
  server = await startHubServer()
  process.env.HF_ENDPOINT = server.endpoint
  process.env.HF_HUB_DOWNLOAD_TIMEOUT = '0.4'
  process.env.LAYERPRUNE_RETRY_SECONDS = '0.3'
  server.add(
    { type: 'model', id: 'org/model', files: MODEL },
    {
      type: 'dataset',
      id: 'org/rows',
      files: { 'data/train-00000-of-00001.parquet': makeParquet(['own']) },
      parquet: { default: { train: [makeParquet(['exported'])] } },
    },
  )
})
afterAll(() => server.close())
beforeEach(() => {
  server.reset()
  home = makeTempFolder()
  process.env.HF_HOME = home
})

async function download(): Promise<void> {
  const source = await openModelSource({ model: 'org/model' })
  await source.provide(Object.keys(MODEL))
}

async function read(id = 'org/rows', onNote?: (note: string) => void): Promise<string[]> {
  const texts: string[] = []
  const dataset = await openDataset({ dataset: id, onNote })
  for await (const { text } of dataset.rows()) texts.push(text)
  return texts
}

/** One error that a user can act on, whatever was done to the answers. */
async function failureOf(action: Promise<unknown>): Promise<LayerpruneError> {
  const error = await action.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(LayerpruneError)
  return error as LayerpruneError
}

const redirect = (location: string): Fault => ({ kind: 'status', status: 302, headers: { location } })
const answer = (body: string, headers: Record<string, string> = {}): Fault => ({
  kind: 'answer',
  body,
  headers,
})

describe('an address that the Hub sends', () => {
  it.each([
    ['http://[', /127\.0\.0\.1:\d+ leads to 'http:\/\/\[', which is not an address, expected http:\/\//],
    ['file:///etc/passwd', /leads to an address with file:, expected http:/],
    ['data:text/plain,x', /leads to an address with data:/],
    ['javascript:alert(1)', /leads to an address with javascript:/],
  ])('redirect to %s', async (location, message) => {
    server.fail(/weights\.bin/, redirect(location), Infinity)
    expect((await failureOf(download())).message).toMatch(message)
    server.fail(/\/api\/datasets\/org\/rows\/revision/, redirect(location), Infinity)
    expect((await failureOf(read())).message).toMatch(message)
    // what will not pass is not tried again
    expect(server.requests.filter(({ url }) => url.includes('weights.bin')).length).toBe(1)
  })

  it.each(['<http://[>; rel="next"', '<file:///etc/passwd>; rel="next"'])('next page %s', async (link) => {
    server.fail(/\/tree\//, { kind: 'list', headers: { link } })
    expect((await failureOf(download())).message).toMatch(/leads to/)
  })

  it('stays encrypted, and brings no password along', () => {
    expect(() => resolveAddress('http://cdn.example/x', 'https://hub.example/y')).toThrow(
      /^hub\.example leads to an address with http:, expected https:\/\/$/,
    )
    expect(resolveAddress('//u:p@cdn.example/x', 'https://hub.example/y')).toBe('https://cdn.example/x')
    expect(resolveAddress('/x', 'http://hub.example/y')).toBe('http://hub.example/x')
  })
})

describe('an answer that is not as the Hub describes it', () => {
  it.each([
    ['null', 'null'],
    ['a number', '7'],
    ['a list of lists', `[${'['.repeat(50_000)}${']'.repeat(50_000)}]`],
    ['an entry without a hash', '{"path": "a", "size": 1}'],
    ['a size that is a text', `{"path": "a", "size": "1", "oid": "${'0'.repeat(40)}"}`],
    ['a size beyond all', `{"path": "a", "size": 1e300, "oid": "${'0'.repeat(40)}"}`],
    ['lfs that is null', '{"path": "a", "size": 1, "lfs": null, "oid": null}'],
    ['a long path', `{"path": "${'a/'.repeat(5000)}", "size": 1, "oid": "${'0'.repeat(40)}"}`],
  ])('%s in a list of files', async (_, entry) => {
    server.fail(/\/tree\//, answer(`[${entry}]`))
    const { message } = await failureOf(download())
    expect(message).toMatch(/the list of files of model org\/model: expected path, size and hash of a file/)
    expect(message.length).toBeLessThan(400)
  })

  it.each(['null', '[]', '{"sha": 1}', '{"sha": "main"}', '{"sha": null}', '"x"'])('commit %s', async (body) => {
    server.fail(/\/revision\//, answer(body), Infinity)
    expect((await failureOf(download())).message).toMatch(/the Hub names no commit for revision main/)
    expect((await failureOf(read())).message).toMatch(/the Hub names no commit for revision main/)
  })

  it.each([
    '{"default": {"train": ["http://hub.example/a/%E0%A4%A"]}}',
    '{"default": {"train": ["nowhere"]}}',
    '{"default": {"train": [null]}}',
    '{"default": null}',
    'null',
    '[["x"]]',
  ])('parquet list %s gives way to the own files, with a note', async (body) => {
    server.fail(/\/parquet$/, answer(body))
    const notes: string[] = []
    expect(await read('org/rows', (note) => notes.push(note))).toEqual(['own'])
    expect(notes).toEqual([
      "the parquet files of dataset org/rows: the Hub's list of them is malformed; reading the dataset's own files",
    ])
  })

  it('a parquet list cannot send requests to another host', async () => {
    server.fail(/\/parquet$/, answer('{"default": {"train": ["http://hub.example//127.0.0.1:1/x.parquet"]}}'))
    expect((await failureOf(read())).message).toMatch(/^the Hub has no dataset org\/rows/)
    expect(server.requests.at(-1)).toMatchObject({ at: 'hub', url: '//127.0.0.1:1/x.parquet' })
  })

  it.each([
    ['bytes 7-9/10', /byte 7 arrives instead of byte/],
    ['bytes 0-9/*', /the server does not say how long it is/],
    ['', /the server does not say how long it is/],
    ['bytes 0-9/999999999999999', /byte 0 arrives instead of byte/],
  ])('part of a file with content-range %j', async (range, message) => {
    const headers: Record<string, string> = range === '' ? {} : { 'content-range': range }
    server.fail(/resolve-cache/, { kind: 'answer', status: 206, headers, body: '0123456789' }, Infinity)
    // without it, the size would be known
    server.fail(/resolve\/refs/, redirect(`/api/resolve-cache/datasets/org/rows/${'0'.repeat(40)}/x.parquet`), Infinity)
    expect((await failureOf(read())).message).toMatch(message)
  })
})

const HOSTILE: unknown[] = [null, true, -1, 1e300, '', '../x', '\u0000', 'http://[', [], [[]], {}, { toString: 1 }]

/** A JSON value in which one value, anywhere, is another. */
function damage(value: unknown, random: Random): unknown {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : []
  if (entries.length === 0 || random.below(4) === 0) return HOSTILE[random.below(HOSTILE.length)]
  const [key, part] = entries[random.below(entries.length)]!
  const changed = { ...(value as object), [key]: damage(part, random) }
  return Array.isArray(value) ? Object.values(changed) : changed
}

it('150 damaged answers end in a result or in one clear error', async () => {
  process.env.LAYERPRUNE_RETRY_SECONDS = '0'
  const random = createRandom(13)
  const sound = [
    ['models/org/model', 'revision', 'main?expand=sha', download],
    ['models/org/model', 'tree', `${server.commitOf('org/model')}?recursive=true`, download],
    ['datasets/org/rows', 'parquet', '', read],
  ] as const
  const outcomes = { results: 0, errors: 0 }
  for (let i = 0; i < 150; i++) {
    const [repo, part, rest, act] = sound[i % sound.length]!
    server.reset()
    const answered = await fetch(`${server.endpoint}/api/${repo}/${part}/${rest}`)
    const body = JSON.stringify(damage(await answered.json(), random))
    server.fail(new RegExp(`/${part}\\b`), answer(body), Infinity)
    await act().then(
      () => outcomes.results++,
      (error: unknown) => {
        expect(error, body).toBeInstanceOf(LayerpruneError)
        outcomes.errors++
      },
    )
    rmSync(home, { recursive: true, force: true })
  }
  process.env.LAYERPRUNE_RETRY_SECONDS = '0.3'
  expect(outcomes.errors).toBeGreaterThan(30)
  expect(outcomes.results).toBeGreaterThan(30)
})

describe('a dataset card', () => {
  const readCard = async (yaml: string, files: Record<string, string> = {}) => {
    server.replace({
      type: 'dataset',
      id: 'org/card',
      files: { 'README.md': `---\n${yaml}\n---\n`, 'train.jsonl': '{"text": "row"}\n', ...files },
    })
    return read('org/card')
  }
  beforeAll(() => server.add({ type: 'dataset', id: 'org/card', files: {} }))

  it.each([
    ['configs:\n- config_name: {toString: 1}\n  data_files: x', /config_name is not text but \{ toString: 1 \}/],
    ['configs:\n- config_name: [a]\n  data_files: x', /config_name is not text but \[ 'a' \]/],
    ['configs:\n- config_name: a\n  data_dir: {toString: x}', /data_dir is not text but/],
    ['configs:\n- config_name: a\n  data_dir: ../../x', /names the unsafe folder \.\.\/\.\.\/x/],
    ['configs:\n- config_name: a\n  data_files: 7', /data_files is neither a pattern nor a list/],
    ['configs:\n- config_name: a\n  data_files: "x/[z-a].jsonl"', /has no data files for x\/\[z-a\]\.jsonl/],
    [
      'configs:\n- config_name: a\n  data_files: "x/**.jsonl"',
      /expected \*\* alone between slashes, found \*\*\.jsonl/,
    ],
    [`configs:\n- config_name: a\n  data_files: "${'*a'.repeat(1000)}"`, /has 2001 characters, expected at most 1024/],
    [`configs: ${'['.repeat(20_000)}`, /invalid YAML/],
  ])('that is malformed: %#', async (yaml, message) => {
    expect((await failureOf(readCard(yaml))).message).toMatch(message)
  })

  it('names may be numbers, and a key may come twice, as in Python', async () => {
    expect(await readCard('license: a\nlicense: b\nconfigs:\n- config_name: 2020\n  data_files: train.jsonl')).toEqual([
      'row',
    ])
  })

  it('with a pattern of many stars costs no time', async () => {
    const name = `${'a'.repeat(120)}.parquet`
    const startMs = performance.now()
    const read = readCard('configs:\n- config_name: a\n  data_files: "data/*a*a*a*a*a*a*a*ab.parquet"', {
      [`data/${name}`]: 'x',
    })
    expect((await failureOf(read)).message).toMatch(/has no data files/)
    expect(performance.now() - startMs).toBeLessThan(2000)
  })
})

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { LayerpruneError, UsageError } from '../../../src/base/errors.js'
import { openDataset } from '../../../src/texts/data/dataset.js'
import { sendFile } from '../../support/hub/answers.js'
import { makeParquet } from '../../support/hub/parquet-files.js'
import { collect } from './helpers.js'

const texts = Array.from({ length: 40 }, (_, index) => `text ${index}`)
const lines = Buffer.from(texts.map((text) => `${JSON.stringify({ text })}\n`).join(''))
const files: Record<string, Buffer> = {
  '/a/lines.jsonl': lines,
  '/a/rows.parquet': Buffer.from(makeParquet(texts)),
}

let server: Server
let origin: string
beforeAll(async () => {
  server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://host')
    const bytes = files[pathname]
    if (pathname === '/page.jsonl') response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')
    else if (searchParams.get('key') !== 'secret') response.writeHead(403).end()
    else if (bytes) sendFile(request, response, { bytes }, {}, undefined)
    else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => server.close())

it.each(Object.keys(files))('a file at a web address is read, its key is named nowhere: %s', async (path) => {
  const dataset = await openDataset({ dataset: `${origin}${path}?key=secret` })
  expect(dataset.id).toBe(`${origin}${path}`)
  const rows = await collect(dataset.rows())
  expect(rows.map(({ text }) => text)).toEqual(texts)
  expect(rows[3]!.origin).toBe(`${origin}${path}:4`)
})

it.each([
  ['a split of a file', { dataset: '/a/lines.jsonl?key=secret', datasetSplit: 'test' }],
  ['a share that is none', { dataset: '/a/lines.jsonl?key=secret:0' }],
  ['a file without a share', { dataset: ['/a/lines.jsonl?key=secret:0.5', '/a/rows.parquet?key=secret'] }],
])('the key of an address is in no message: %s', async (_, { dataset, ...options }) => {
  const addresses = [dataset].flat().map((path) => `${origin}${path}`)
  const error = await openDataset({ ...options, dataset: addresses }).catch((reason: UsageError) => reason)
  expect(error).toBeInstanceOf(UsageError)
  const { message, hint } = error as UsageError
  expect(`${message} ${hint}`).toContain('/a/')
  expect(`${message} ${hint}`).not.toContain('secret')
})

it('the key of an address is in no note: a mix that ends with one of its files', async () => {
  const notes: string[] = []
  const shares = ['/a/lines.jsonl?key=secret:0.9', '/a/rows.parquet?key=secret:0.1']
  const dataset = shares.map((path) => `${origin}${path}`)
  await collect((await openDataset({ dataset, onNote: (note) => notes.push(note) })).rows())
  expect(notes.join()).toContain('/a/lines.jsonl')
  expect(notes.join()).not.toContain('secret')
})

async function readError(dataset: string) {
  const error = await openDataset({ dataset }).then(
    ({ rows }) =>
      collect(rows()).then(
        () => undefined,
        (reason: unknown) => reason,
      ),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(LayerpruneError)
  return error as LayerpruneError
}

it.each([
  ['/a/lines.jsonl?key=other', 'ORIGIN/a/lines.jsonl: the server refuses access (403)', 'expired'],
  ['/none.parquet?key=secret', 'ORIGIN/none.parquet is not there: the server answers 404', 'address'],
  ['/page.jsonl', 'ORIGIN/page.jsonl is a web page, not a file of data', 'downloads'],
])('an answer that is no file ends the reading at once: %s', async (path, message, hint) => {
  const error = await readError(origin + path)
  expect(error.message).toBe(message.replace('ORIGIN', origin))
  expect(error.hint).toContain(hint)
})

it.each([
  ['s3://bucket/a.parquet', '`dataset` "$(aws s3 presign s3://bucket/a.parquet)"'],
  ['gs://bucket/a.jsonl', 'gcloud storage cp gs://bucket/a.jsonl .'],
  ['hf://datasets/org/name', 'give the id of the dataset: org/name'],
  ['file:///data/a.jsonl', 'give its path: /data/a.jsonl'],
  ['ftp://host/a.jsonl', 'copy the file to this machine'],
])('an address that is not read names the way to it: %s', async (address, hint) => {
  const error = await readError(address)
  expect(error).toBeInstanceOf(UsageError)
  expect(error.message).toBe(`${address} cannot be read: expected a path, an https:// address or an id on the Hub`)
  expect(error.hint).toContain(hint)
})

it('an address must say of which kind its file is', async () => {
  const error = await readError(`${origin}/download?file=a.jsonl`)
  expect(error.message).toMatch(/\/download is of an unknown kind: expected an address that ends in \.jsonl /)
})

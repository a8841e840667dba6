import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type AsyncBuffer, parquetMetadataAsync } from 'hyparquet'
import { expect, test } from 'vitest'
import { readParquet } from '../../../../src/texts/data/parquet/parquet.js'
import { FIXTURES } from '../../../support/paths.js'
import { makeTempFolder } from '../../../support/temp-folder.js'
import { collect, readAll, readError } from '../helpers.js'

const DATA = join(FIXTURES, 'data')
/** As test/fixtures/make-parquet.py writes them. */
const TEXTS = Array.from({ length: 40 }, (_, i) => `row ${i} äß 🙂 ${'lorem ipsum '.repeat(i % 5)}`.trim())

test.each(['none', 'snappy', 'gzip', 'brotli', 'zstd', 'lz4', 'plain-v2'])('%s: every text in order', async (name) => {
  const { texts, origins, skipped } = await readAll(DATA, [`${name}.parquet`])
  expect(texts).toEqual(TEXTS)
  expect(origins).toEqual(TEXTS.map((_, i) => `${name}.parquet:${i + 1}`))
  expect(skipped).toEqual({ empty: 0, notText: 0 })
})

test.each([
  [12, 0x40, 'a page that is not of the kind that its header states'],
  [14, 0x80, "a page's number of values is 1360, expected at most 16"],
  [13, 0x40, "a page's number of values is missing, expected at most 16"],
])('a damaged page header is refused, not followed: byte %i', async (place, bit, problem) => {
  const folder = makeTempFolder()
  const bytes = await readFile(join(DATA, 'plain-v2.parquet'))
  bytes[place]! ^= bit
  await writeFile(join(folder, 'damaged.parquet'), bytes)
  const { message } = await readError(folder, ['damaged.parquet'])
  expect(message).toBe(`cannot read column 'text' of damaged.parquet, row group 0: corrupt: ${problem}`)
})

test.each([
  ['none', 237, 0x20, 'expected 0 strings in a page, found 16'],
  ['none', 1023, 0x01, 'expected 0 nulls in a page, found 16'],
  ['snappy', 1350, 0x10, 'expected 0 nulls in a page, found 8'],
  ['plain-v2', 16, 0x08, 'a value that is not a string'],
  ['plain-v2', 29, 0x10, 'expected 0 nulls in a page, found 16'],
  ['none', 3069, 0x20, 'expected row groups of 40 rows together, found 24'],
  ['plain-v2', 1995, 0x10, 'expected row groups of 40 rows together, found 32'],
])('damage that would lose texts is refused: %s, byte %i', async (name, place, bit, problem) => {
  const bytes = await readFile(join(DATA, `${name}.parquet`))
  bytes[place]! ^= bit
  const file = Uint8Array.from(bytes).buffer as AsyncBuffer
  await expect(collect(readParquet(file, { name: 'x.parquet', column: 'text' }))).rejects.toThrow(`corrupt: ${problem}`)
})

test('null and empty texts are passed over and counted', async () => {
  const { texts, origins, skipped } = await readAll(DATA, ['nulls.parquet'])
  const rows = TEXTS.map((text, i) => ({ text, row: i + 1 })).filter((_, i) => i % 3 !== 0 && i % 5 !== 0)
  expect(texts).toEqual(rows.map((row) => row.text))
  expect(origins).toEqual(rows.map((row) => `nulls.parquet:${row.row}`))
  expect(skipped).toEqual({ empty: 5, notText: 14 })
})

test.each([
  ['id', 'int64'],
  ['score', 'double'],
  ['words', 'list'],
  ['meta', 'struct'],
  ['blob', 'binary'],
  ['when', 'timestamp'],
])("column '%s' is refused as %s", async (column, type) => {
  expect((await readError(DATA, ['types.parquet'], { datasetColumn: column })).message).toBe(
    `column '${column}' of types.parquet: expected a column of strings or chats, found ${type}`,
  )
})

test('a missing column proposes the one string column', async () => {
  expect(await readError(DATA, ['types.parquet'])).toEqual({
    message: "column 'text' is not in types.parquet; columns: id, score, words, meta, blob, when, body",
    hint: '`datasetColumn: body`',
  })
  expect((await readAll(DATA, ['types.parquet'], { datasetColumn: 'body' })).texts).toEqual(TEXTS)
})

test('reads the bytes of the column alone, a row group when it is due', async () => {
  const bytes = await readFile(join(DATA, 'none.parquet'))
  const whole = new Uint8Array(bytes).buffer
  const ranges: [number, number][] = []
  const file: AsyncBuffer = {
    byteLength: whole.byteLength,
    slice(start, end = whole.byteLength) {
      ranges.push([start, end])
      return whole.slice(start, end)
    },
  }
  const { row_groups } = await parquetMetadataAsync(whole as AsyncBuffer)
  expect(row_groups.length).toBe(3)
  const chunks = row_groups.map(({ columns }) => columns.map(({ meta_data }) => meta_data!))
  const rangeOf = (chunk: (typeof chunks)[number][number]): [number, number] => {
    const start = Number(chunk.dictionary_page_offset ?? chunk.data_page_offset)
    return [start, start + Number(chunk.total_compressed_size)]
  }
  const footer = Math.max(...chunks.flat().map((chunk) => rangeOf(chunk)[1]))

  const rows = readParquet(file, { name: 'x.parquet', column: 'text' })
  expect((await rows.next()).value).toEqual({ value: TEXTS[0], position: 1 })
  const dataRanges = () => ranges.filter(([start]) => start < footer)
  expect(dataRanges()).toEqual([rangeOf(chunks[0]![1]!)])
  expect(await collect(rows)).toHaveLength(39)
  expect(dataRanges()).toEqual(chunks.map((group) => rangeOf(group[1]!)))
})

test('a file that is cut short, empty or not parquet is refused by name', async () => {
  const folder = makeTempFolder()
  const bytes = await readFile(join(DATA, 'snappy.parquet'))
  for (const content of [bytes.subarray(0, 1000), bytes.subarray(1000), bytes.subarray(0, 3), 'no parquet at all']) {
    await writeFile(join(folder, 'a.parquet'), content)
    expect((await readError(folder, ['a.parquet'])).message).toMatch(/a\.parquet/)
  }
})

test('damage anywhere in a file ends in rows or in an error that names the file', async () => {
  const bytes = await readFile(join(DATA, 'snappy.parquet'))
  let refused = 0
  for (let at = 4; at < bytes.length; at += 7) {
    const damaged = Uint8Array.from(bytes)
    damaged[at]! ^= 0xff
    const read = collect(readParquet(damaged.buffer as AsyncBuffer, { name: 'x.parquet', column: 'text' }))
    const outcome = await read.catch((error: Error) => error)
    if (outcome instanceof Error) {
      refused++
      expect(outcome.message).toContain('x.parquet')
      expect(outcome.message).not.toContain('\n')
    }
  }
  expect(refused).toBeGreaterThan(50)
})

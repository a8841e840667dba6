import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readJsonl } from '../../../src/texts/data/jsonl.js'
import { readLines } from '../../../src/texts/data/lines.js'
import { makeTempFolder } from '../../support/temp-folder.js'
import { collect, inPieces, readAll, readError } from './helpers.js'

const ROWS = ['über 🙂 naïve', 'two\nlines "quoted" \\ back', '日本語']

test.each([1, 2, 3, 5, 1000])('rows, characters and CRLF split over chunks of %i bytes', async (size) => {
  const content = `\uFEFF${ROWS.map((text) => JSON.stringify({ text })).join('\r\n\r\n')}`
  const rows = await collect(readJsonl(inPieces(content, size), { name: 'x.jsonl', column: 'text' }))
  expect(rows).toEqual(ROWS.map((value, i) => ({ value, position: 2 * i + 1 })))
})

test('rows without text are passed over and counted', async () => {
  const folder = makeTempFolder()
  const values = ['one', '', ' \n\t', null, 3, ['x'], { x: 1 }, 'two']
  const lines = [...values.map((text) => JSON.stringify({ text })), '{"other":"x"}', '', '{"text":"three"}']
  await writeFile(join(folder, 'a.ndjson'), lines.join('\n'))
  expect(await readAll(folder, ['a.ndjson'])).toEqual({
    texts: ['one', 'two', 'three'],
    origins: ['a.ndjson:1', 'a.ndjson:8', 'a.ndjson:11'],
    skipped: { empty: 2, notText: 5 },
  })
})

test.each([
  ['{"text":"a"}\n{"text":"b"\n', "a.jsonl:2: expected a JSON object, found malformed JSON: Expected ',' or '}'"],
  ['{"text":"a"}\n\n[1]\n', 'a.jsonl:3: expected a JSON object, found an array'],
  ['null\n', 'a.jsonl:1: expected a JSON object, found null'],
  ['"a"\n', 'a.jsonl:1: expected a JSON object, found a string'],
  ['{"a":1}\n', "column 'text' is not in a.jsonl; columns: a"],
  ['{}\n', "column 'text' is not in a.jsonl; columns: none"],
])('%j is refused with file and line', async (content, message) => {
  const folder = makeTempFolder()
  await writeFile(join(folder, 'a.jsonl'), content)
  const error = await readError(folder, ['a.jsonl'])
  expect(error.message).toContain(message)
  expect(error.message).not.toContain('\n')
})

test('bytes that are not UTF-8 are refused with file and line', async () => {
  const folder = makeTempFolder()
  await writeFile(join(folder, 'a.jsonl'), Buffer.from('{"text":"a"}\n{"text":"caf\xe9"}\n', 'latin1'))
  expect(await readError(folder, ['a.jsonl'])).toEqual({
    message: 'a.jsonl:2: expected UTF-8 text, found other bytes',
    hint: 'convert the file to UTF-8, for example with iconv',
  })
})

test('a missing column names the columns there are and proposes the one with text', async () => {
  const folder = makeTempFolder()
  await writeFile(join(folder, 'one.jsonl'), '{"id":1,"body":"x"}\n')
  expect(await readError(folder, ['one.jsonl'])).toEqual({
    message: "column 'text' is not in one.jsonl; columns: id, body",
    hint: '`datasetColumn: body`',
  })
  await writeFile(join(folder, 'two.jsonl'), '{"title":"x","body":"x"}\n')
  expect((await readError(folder, ['two.jsonl'])).hint).toBe('name the column that holds the text with `datasetColumn`')
  const wide = Object.fromEntries(Array.from({ length: 25 }, (_, i) => [`c${i}`, i]))
  await writeFile(join(folder, 'wide.jsonl'), JSON.stringify(wide))
  expect((await readError(folder, ['wide.jsonl'])).message).toMatch(/c18, c19 and 5 more$/)
  expect((await readError(folder, ['wide.jsonl'], { datasetColumn: 'toString' })).message).toMatch(/^column 'toString'/)
})

test('a line beyond the cap is refused before it is held whole', async () => {
  let chunks = 0
  async function* endless() {
    while (true) {
      chunks++
      yield Buffer.alloc(100, 'x')
    }
  }
  await expect(collect(readLines(endless(), 'x.jsonl', 1000))).rejects.toThrow(
    'x.jsonl:1: expected a line of at most 1000 bytes, found more',
  )
  expect(chunks).toBe(11)
})

test('many empty lines after one another are refused, fewer are not', async () => {
  const empty = (count: number) => [Buffer.from('{}'), Buffer.alloc(count, '\n'), Buffer.from('{}')]
  async function* chunks(count: number) {
    yield* empty(count)
  }
  let lines = 0
  for await (const _ of readLines(chunks(1e6), 'x.jsonl')) lines++
  expect(lines).toBe(1e6 + 1)
  const read = async () => {
    for await (const _ of readLines(chunks(2e6), 'x.jsonl')) lines++
  }
  await expect(read()).rejects.toThrow('x.jsonl:1048578: found 1,048,576 empty lines after one another')
})

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readJson, splitArray } from '../../../src/texts/data/json.js'
import { makeTempFolder } from '../../support/temp-folder.js'
import { collect, inPieces, readAll, readError } from './helpers.js'

const ROWS = [
  { id: 1, text: 'brackets ]}[{ and "quotes" and \\', nested: { list: [1, [2, { x: '}' }]] } },
  { id: 2, text: 'über 🙂\n\\"', nested: null },
  { id: 3, text: '', nested: [] },
]
const CONTEXT = { name: 'x.json', column: 'text' }

test.each([1, 2, 3, 7, 1000])('an array of objects in chunks of %i bytes', async (size) => {
  for (const content of [JSON.stringify(ROWS), `\uFEFF\r\n ${JSON.stringify(ROWS, null, 2)}\n`]) {
    const rows = await collect(readJson(inPieces(content, size), CONTEXT))
    expect(rows).toEqual(ROWS.map(({ text }, i) => ({ value: text, position: i + 1 })))
  }
})

test.each([1, 4, 1000])('one object per line in chunks of %i bytes', async (size) => {
  const content = `\uFEFF\n${ROWS.map((row) => JSON.stringify(row)).join('\n')}\n`
  const rows = await collect(readJson(inPieces(content, size), CONTEXT))
  expect(rows).toEqual(ROWS.map(({ text }, i) => ({ value: text, position: i + 2 })))
})

test.each(['', ' \n', '[]', '[ ]\n', '\uFEFF[]'])('%j has no rows', async (content) => {
  expect(await collect(readJson(inPieces(content, 1), CONTEXT))).toEqual([])
})

test('rows of an array without text are passed over and counted', async () => {
  const folder = makeTempFolder()
  await writeFile(join(folder, 'a.json'), '[{"text":"one"},{"text":" "},{"text":null},{"x":1},{"text":"two"}]')
  expect(await readAll(folder, ['a.json'])).toEqual({
    texts: ['one', 'two'],
    origins: ['a.json:1', 'a.json:5'],
    skipped: { empty: 1, notText: 2 },
  })
})

test.each([
  ['[{"text":"a"},', 'a.json: cut short: the array is not closed after 1 whole rows'],
  ['[{"text":"a"', 'a.json: cut short: the array is not closed after 0 whole rows'],
  ['[{"text":"a"} {"text":"b"}]', "a.json:1: expected ',' or ']' after the row, found '{'"],
  ['[{"text":"a"},,{"text":"b"}]', "a.json:2: expected a JSON object, found ','"],
  ['[{"text":"a"},]', "a.json:2: expected a JSON object, found ']'"],
  ['["a"]', "a.json:1: expected a JSON object, found '\"'"],
  ['[{"text":"a"}] x', "a.json: expected the end after the array, found 'x'"],
  ['[{"text":"a"},{"text":a}]', 'a.json:2: expected a JSON object, found malformed JSON'],
  ['[{"text":"a"],{"text":"b"}]', 'a.json:1: expected a JSON object, found malformed JSON'],
  ['"a"', 'a.json: expected an array of objects, or one object per line, found neither'],
  ['{\n  "text": ["a"]\n}\n', 'a.json: expected an array of objects, or one object per line, found an object over'],
  ['{"data":[{"text":"a"}]}', "column 'text' is not in a.json; columns: data"],
  ['{}', "column 'text' is not in a.json; columns: none"],
  ['{"text":"a"}\n{"text":\n', 'a.json:2: expected a JSON object, found malformed JSON'],
])('%j is refused with file and place', async (content, message) => {
  const folder = makeTempFolder()
  await writeFile(join(folder, 'a.json'), content)
  expect((await readError(folder, ['a.json'])).message).toContain(message)
})

test('what has no end is not held: a long row, leading white space', async () => {
  const row = `[{"text":"${'x'.repeat(5000)}"}]`
  await expect(collect(splitArray(inPieces(row, 100), 'x.json', 1000))).rejects.toThrow(
    'x.json:1: expected a row of at most 1000 bytes, found more',
  )
  await expect(collect(readJson(inPieces(' '.repeat(1 << 21), 1 << 16), CONTEXT))).rejects.toThrow('found neither')
})

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readCsv } from '../../../src/texts/data/csv.js'
import { makeTempFolder } from '../../support/temp-folder.js'
import { collect, inPieces, readAll, readError } from './helpers.js'

test.each(['\n', '\r\n'])('quoted line ends, quotes and commas, with %j', async (end) => {
  const lines = ['\uFEFFid,text', '1,"über, 🙂', '""two"" lines"', '', '2,it is "so"', '3,', '4,last']
  for (const size of [1, 3, 1000]) {
    const chunks = inPieces(lines.join(end), size)
    const rows = await collect(readCsv(chunks, { name: 'x.csv', column: 'text', delimiter: ',' }))
    expect(rows).toEqual([
      { value: `über, 🙂${end}"two" lines`, position: 2 },
      { value: 'it is "so"', position: 5 },
      { value: '', position: 6 },
      { value: 'last', position: 7 },
    ])
  }
})

test('tab separated values keep commas; empty fields are counted', async () => {
  const folder = makeTempFolder()
  await writeFile(join(folder, 'a.tsv'), 'text\tid\none, two\t1\n\t2\n \t3\nthree\t4\n')
  expect(await readAll(folder, ['a.tsv'])).toEqual({
    texts: ['one, two', 'three'],
    origins: ['a.tsv:2', 'a.tsv:5'],
    skipped: { empty: 2, notText: 0 },
  })
})

test('a field longer than the parser allows by default', async () => {
  const folder = makeTempFolder()
  const long = 'word '.repeat(100_000)
  await writeFile(join(folder, 'a.csv'), `text\n"${long}"\n`)
  expect((await readAll(folder, ['a.csv'])).texts).toEqual([long])
})

test.each([
  ['id,text\n1,"a\r\nb"\n\n2\n', 'a.csv:5: expected 2 fields, found 1'],
  ['id,text\n1,a,b\n', 'a.csv:2: expected 2 fields, found 3'],
  ['id,text\n1,a\n2,"b\n3,c\n', 'a.csv:3: a quoted field of this row is not closed before the file ends'],
  ['id,body\n1,a\n', "column 'text' is not in a.csv; columns: id, body"],
  ['text,text\na,b\n', "column 'text' occurs twice in the header of a.csv"],
])('%j is refused with file and line', async (content, message) => {
  const folder = makeTempFolder()
  await writeFile(join(folder, 'a.csv'), content)
  expect((await readError(folder, ['a.csv'])).message).toBe(message)
})

test('bytes that are not UTF-8 are refused', async () => {
  const folder = makeTempFolder()
  await writeFile(join(folder, 'a.csv'), Buffer.from('text\ncaf\xe9\n', 'latin1'))
  expect((await readError(folder, ['a.csv'])).message).toBe(
    'a.csv: expected UTF-8 text, found other bytes after byte 0',
  )
})

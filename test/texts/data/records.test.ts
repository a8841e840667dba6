import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { type DataRecord, type RecordsOptions, readRecords } from '../../../src/texts/data/records.js'
import { FIXTURES } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'

async function read(options: RecordsOptions): Promise<DataRecord[]> {
  const records: DataRecord[] = []
  for await (const record of readRecords(options)) records.push(record)
  return records
}

/** What make-parquet.py wrote. */
const ROWS = [
  { question: 'Why?', choices: { text: ['a', 'b’s'], label: ['A', 'B'] }, answer: 1, flag: true, score: 0.5 },
  { question: 'How?', choices: { text: [], label: [] }, answer: null, flag: false, score: null },
  { question: null, choices: { text: ['c'], label: ['A'] }, answer: 0, flag: null, score: -2 },
]
const PARQUET = join(FIXTURES, 'data/records.parquet')
const lines = ROWS.map((row) => `${JSON.stringify(row)}\n`).join('')

describe('whole rows', () => {
  it('are not those of the split that an address names instead', async () => {
    const dataset = 'https://huggingface.co/datasets/org/name/viewer/en/test'
    await expect(read({ dataset, split: 'train' })).rejects.toThrow(
      'the split train was given, and the address names test',
    )
  })

  it('come from Parquet with lists, objects and numbers', async () => {
    const records = await read({ dataset: [PARQUET], split: 'test' })
    expect(records.map(({ fields }) => fields)).toEqual(ROWS)
    expect(records[2]!.origin).toBe(`${PARQUET}:3`)
  })

  it('come from JSON Lines and JSON, packed or not', async () => {
    const folder = makeTempFolder()
    writeFileSync(join(folder, 'a.jsonl.gz'), gzipSync(lines))
    writeFileSync(join(folder, 'b.json'), JSON.stringify(ROWS))
    const paths = ['a.jsonl.gz', 'b.json'].map((name) => join(folder, name))
    const records = await read({ dataset: paths, split: 'test' })
    expect(records.map(({ fields }) => fields)).toEqual([...ROWS, ...ROWS])
    expect(records.map(({ origin }) => origin)[4]).toBe(`${paths[1]}:2`)
  })

  it.each(['.', './', '..', 'x', 'x/', './x/../x//'])('of the folder %j are those of the split', async (dataset) => {
    const folder = makeTempFolder()
    const before = process.cwd()
    for (const place of ['x', '../y'].map((name) => join(folder, 'in', name))) mkdirSync(place, { recursive: true })
    for (const place of ['', 'in', 'in/x']) {
      for (const split of ['test', 'train'])
        writeFileSync(join(folder, place, `${split}.jsonl`), `{"is": "${split}"}\n`)
    }
    process.chdir(join(folder, 'in'))
    try {
      const records = await read({ dataset, split: 'test' })
      expect(new Set(records.map(({ fields }) => fields.is))).toEqual(new Set(['test']))
    } finally {
      process.chdir(before)
    }
  })

  it('of a folder are those of the split, and of the configuration if it has a folder', async () => {
    const folder = makeTempFolder()
    for (const name of ['easy', 'hard/test']) mkdirSync(join(folder, name), { recursive: true })
    writeFileSync(join(folder, 'easy/tests.jsonl'), '{"a": 0}\n')
    writeFileSync(join(folder, 'easy/test-00000-of-00002.jsonl'), '{"a": 1}\n')
    writeFileSync(join(folder, 'easy/test-00001-of-00002.jsonl'), '{"a": 2}\n')
    writeFileSync(join(folder, 'easy/train.jsonl'), '{"a": 3}\n')
    writeFileSync(join(folder, 'hard/test/x.jsonl'), '{"a": 4}\n')
    const of = async (datasetConfig: string | undefined) =>
      (await read({ dataset: folder, datasetConfig, split: 'test' })).map(({ fields }) => fields.a)
    expect([await of('easy'), await of('hard'), await of('other')]).toEqual([[1, 2], [4], [1, 2, 4]])
    await expect(read({ dataset: folder, datasetConfig: 'easy', split: 'dev' })).rejects.toThrow(
      'has no file of the split dev: found easy/test-00000-of-00002.jsonl, easy/test-00001-of-00002.jsonl',
    )
  })

  it('of formats without types, and damaged files, are refused', async () => {
    const folder = makeTempFolder()
    writeFileSync(join(folder, 'a.csv'), 'a,b\n1,2\n')
    await expect(read({ dataset: join(folder, 'a.csv'), split: 'test' })).rejects.toThrow(
      'documents of a task are read from JSON, JSON Lines or Parquet',
    )
    cpSync(PARQUET, join(folder, 'cut.parquet'))
    writeFileSync(join(folder, 'cut.parquet'), 'PAR1 and no more')
    await expect(read({ dataset: join(folder, 'cut.parquet'), split: 'test' })).rejects.toThrow(
      'not a complete Parquet file',
    )
  })
})

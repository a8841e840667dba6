import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { joinColumns } from '../../../src/texts/data/columns.js'
import { openDataset } from '../../../src/texts/data/dataset.js'
import { FIXTURES } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'
import { collect, readAll, readError } from './helpers.js'

const DATA = join(FIXTURES, 'data')
const turn = (role: string, content: string) => ({ role, content })

describe('joinColumns', () => {
  it.each([
    [['one', 'two'], 'one\ntwo'],
    [['The sky is', ' blue'], 'The sky is blue'],
    [['Q:\n', 'A'], 'Q:\nA'],
    [['one', '', 'three'], 'one\nthree'],
    [['one', null], 'one'],
    [['', ''], ''],
    [[null, undefined], undefined],
    [['one', 2], undefined],
    [
      [[turn('user', 'a')], [turn('assistant', 'b')]],
      [turn('user', 'a'), turn('assistant', 'b')],
    ],
    [['one', [turn('user', 'a')]], undefined],
    [[7], 7],
  ])('%j is %j', (values, expected) => {
    expect(joinColumns(values)).toEqual(expected)
  })
})

describe('several columns', () => {
  const FILES = {
    'x.jsonl': '{"prompt": "one", "completion": "two", "a,b": "comma"}\n{"prompt": "three"}\n',
    'x.json': '[{"prompt": "one", "completion": "two"}, {"prompt": "three"}]',
    'x.csv': 'completion,prompt\ntwo,one\n,three\n',
  }

  it.each(Object.entries(FILES))('of %s are joined', async (name, content) => {
    const folder = makeTempFolder()
    writeFileSync(join(folder, name), content)
    const { texts } = await readAll(folder, [name], { datasetColumn: 'prompt,completion' })
    expect(texts).toEqual(['one\ntwo', 'three'])
  })

  it('of Parquet are joined, also shuffled and from a row on', async () => {
    const options = { datasetColumn: 'prompt, completion' }
    const { texts } = await readAll(DATA, ['chats.parquet'], options)
    expect(texts).toHaveLength(40)
    expect(texts[9]).toBe('ask 9\nrow 9 äß 🙂 lorem ipsum lorem ipsum lorem ipsum lorem ipsum')
    const shuffled = await readAll(DATA, ['chats.parquet'], { ...options, shuffle: 3 })
    expect(shuffled.texts).not.toEqual(texts)
    expect(shuffled.texts.toSorted()).toEqual(texts.toSorted())
    const later = await openDataset({ dataset: join(DATA, 'chats.parquet'), ...options, skipRows: 20 })
    expect((await collect(later.rows())).map(({ text }) => text)).toEqual(texts.slice(20))
  })

  it('are one if a column has that name', async () => {
    const folder = makeTempFolder()
    writeFileSync(join(folder, 'x.jsonl'), FILES['x.jsonl'])
    const { texts } = await readAll(folder, ['x.jsonl'], { datasetColumn: 'a,b', datasetSize: 1 })
    expect(texts).toEqual(['comma'])
  })

  it('must all be there', async () => {
    const error = await readError(DATA, ['chats.parquet'], { datasetColumn: 'prompt,answer' })
    expect(error.message).toMatch(/^column 'answer' is not in chats\.parquet; columns: prompt, completion, messages/)
  })
})

describe('a column of chats', () => {
  const speak = async (chat: unknown[]) => JSON.stringify(chat)

  it.each([
    ['messages', '[{"role":"user","content":"ask 1"},{"role":"assistant","content":"row 1 äß 🙂 lorem ipsum"}]'],
    ['conversations', '[{"from":"human","value":"ask 1"},{"from":"gpt","value":"row 1 äß 🙂 lorem ipsum"}]'],
  ])('%s is read from Parquet', async (datasetColumn, second) => {
    const dataset = await openDataset({
      dataset: join(DATA, 'chats.parquet'),
      datasetColumn,
      writeChat: speak,
    })
    const rows = await collect(dataset.rows())
    expect(rows).toHaveLength(40)
    expect(rows[1]).toMatchObject({ text: second, addSpecialTokens: false })
  })

  it('is suggested if there is no column of texts', async () => {
    const folder = makeTempFolder()
    writeFileSync(join(folder, 'x.jsonl'), JSON.stringify({ id: 7, messages: [turn('user', 'a')] }))
    const { message, hint } = await readError(folder, ['x.jsonl'])
    expect(message).toBe("column 'text' is not in x.jsonl; columns: id, messages")
    expect(hint).toBe('`datasetColumn: messages`')
  })

  it('with parts that are no text counts as without text', async () => {
    const folder = makeTempFolder()
    writeFileSync(join(folder, 'x.jsonl'), JSON.stringify({ messages: [turn('user', 'a')] }))
    const writeChat = async () => undefined
    const options = { dataset: join(folder, 'x.jsonl'), datasetColumn: 'messages', writeChat }
    const dataset = await openDataset(options)
    expect(await collect(dataset.rows())).toEqual([])
    expect(dataset.skipped).toEqual({ empty: 0, notText: 1 })
  })
})

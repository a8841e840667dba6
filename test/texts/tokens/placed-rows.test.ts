import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { PlacedRows } from '../../../src/texts/tokens/placed-rows.js'

/** A dataset of texts; an empty one is passed over. */
function datasetOf(texts: string[]) {
  const skipped = { empty: 0, notText: 0 }
  async function* rows() {
    skipped.empty = 0
    for (const [index, text] of texts.entries()) {
      if (text === '') skipped.empty++
      else yield { text, origin: `row ${index}`, hash: text }
    }
  }
  return { rows, skipped }
}

async function read(rows: PlacedRows) {
  const read = []
  for await (const row of rows) read.push(row)
  return read
}

const TEXTS = ['one', 'two', 'three', 'four', 'five', 'six', 'seven']

describe('PlacedRows', () => {
  it('deals texts out to shards, each to one, and every shard knows the whole dataset', async () => {
    const shards = [1, 2, 3].map((index) => new PlacedRows(datasetOf(TEXTS), { shard: { index, count: 3 } }))
    const texts = []
    for (const shard of shards) texts.push((await read(shard)).map(({ text }) => text))
    expect(texts).toEqual([
      ['one', 'four', 'seven'],
      ['two', 'five'],
      ['three', 'six'],
    ])
    expect(shards[0]!.position.rows).toBe(7)
    expect(shards.map(({ position }) => position)).toEqual(Array(3).fill(shards[0]!.position))
  })

  it('continues where it stopped, to the same end', async () => {
    const whole = new PlacedRows(datasetOf(TEXTS))
    const rows = await read(whole)
    const rest = new PlacedRows(datasetOf(TEXTS), { from: rows[3]!.end })
    expect(await read(rest)).toEqual(rows.slice(4))
    expect(rest.position).toEqual(whole.position)
  })

  it('continues in the right shard', async () => {
    const shard = { index: 2, count: 3 }
    const rows = await read(new PlacedRows(datasetOf(TEXTS), { shard }))
    expect(await read(new PlacedRows(datasetOf(TEXTS), { from: rows[0]!.end, shard }))).toEqual(rows.slice(1))
  })

  it('tells texts apart that join to the same', async () => {
    const digests = []
    for (const texts of [['ab', 'c'], ['a', 'bc'], ['abc'], ['c', 'ab']]) {
      const rows = new PlacedRows(datasetOf(texts))
      await read(rows)
      digests.push(rows.position.digest)
    }
    expect(new Set(digests).size).toBe(4)
  })

  it('continues in a dataset that was opened where it stopped', async () => {
    const texts = ['', ...TEXTS.slice(0, 3), '', ...TEXTS.slice(3), '']
    const whole = new PlacedRows(datasetOf(texts))
    const rows = await read(whole)
    expect(rows.map(({ end }) => end.skipped.empty)).toEqual([1, 1, 1, 2, 2, 2, 2])
    expect(whole.position.skipped).toEqual({ empty: 3, notText: 0 })
    const opened = rows[1]!.end
    const rest = new PlacedRows(datasetOf(texts.slice(opened.rows + opened.skipped.empty)), { opened })
    expect((await read(rest)).map(({ end }) => end)).toEqual(rows.slice(2).map(({ end }) => end))
    expect(rest.position).toEqual(whole.position)
  })

  it('refuses to go on in other texts, or fewer', async () => {
    const from = (await read(new PlacedRows(datasetOf(TEXTS))))[2]!.end
    await expect(read(new PlacedRows(datasetOf(TEXTS.with(1, 'TWO')), { from }))).rejects.toThrow(
      'the run cannot be resumed: the first 3 texts of the dataset are not those that were read before',
    )
    await expect(read(new PlacedRows(datasetOf(TEXTS.slice(0, 2)), { from }))).rejects.toThrow(
      'the run cannot be resumed: the dataset has 2 texts, but 3 of it were read before',
    )
  })

  it('has the digest of the whole texts, however long', async () => {
    // a pair of surrogates lies over the end of what is hashed at once
    const text = `${'x'.repeat((1 << 20) - 1)}😀${'y'.repeat(1 << 20)}`
    const [row] = await read(new PlacedRows(datasetOf([text])))
    expect(row!.end.digest).toBe(createHash('sha256').update(`\n${text}`).digest('hex'))
  })
})

import { describe, expect, it } from 'vitest'
import { DATASET_START, PlacedRows } from '../../src/data/placed-rows.js'

async function* rowsOf(texts: string[]) {
  for (const [index, text] of texts.entries()) yield { text, origin: `row ${index}` }
}

async function read(rows: PlacedRows) {
  const read = []
  for await (const row of rows) read.push(row)
  return read
}

const TEXTS = ['one', 'two', 'three', 'four', 'five', 'six', 'seven']

describe('PlacedRows', () => {
  it('deals texts out to shards, each to one, and every shard knows the whole dataset', async () => {
    const shards = [1, 2, 3].map((index) => new PlacedRows(rowsOf(TEXTS), DATASET_START, { index, count: 3 }))
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

  it('goes on where it stopped, to the same end', async () => {
    const whole = new PlacedRows(rowsOf(TEXTS), DATASET_START)
    const rows = await read(whole)
    const rest = new PlacedRows(rowsOf(TEXTS), rows[3]!.end)
    expect(await read(rest)).toEqual(rows.slice(4))
    expect(rest.position).toEqual(whole.position)
  })

  it('goes on in the right shard', async () => {
    const shard = { index: 2, count: 3 }
    const rows = await read(new PlacedRows(rowsOf(TEXTS), DATASET_START, shard))
    expect(await read(new PlacedRows(rowsOf(TEXTS), rows[0]!.end, shard))).toEqual(rows.slice(1))
  })

  it('tells texts apart that join to the same', async () => {
    const digests = []
    for (const texts of [['ab', 'c'], ['a', 'bc'], ['abc'], ['c', 'ab']]) {
      const rows = new PlacedRows(rowsOf(texts), DATASET_START)
      await read(rows)
      digests.push(rows.position.digest)
    }
    expect(new Set(digests).size).toBe(4)
  })

  it('refuses to go on in other texts, or fewer', async () => {
    const from = (await read(new PlacedRows(rowsOf(TEXTS), DATASET_START)))[2]!.end
    await expect(read(new PlacedRows(rowsOf(TEXTS.with(1, 'TWO')), from))).rejects.toThrow(
      'the run cannot be resumed: the first 3 texts of the dataset are not those that were read before',
    )
    await expect(read(new PlacedRows(rowsOf(TEXTS.slice(0, 2)), from))).rejects.toThrow(
      'the run cannot be resumed: the dataset has 2 texts, and 3 were read of it before',
    )
  })
})

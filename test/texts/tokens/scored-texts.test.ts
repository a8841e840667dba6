import { describe, expect, it } from 'vitest'
import { batchScoredTexts, takeScoredTexts } from '../../../src/texts/tokens/scored-texts.js'

async function* rowsOfLengths(lengths: number[]) {
  for (const [index, length] of lengths.entries()) yield { text: 'é'.repeat(length), origin: `row ${index}` }
}

const encode = (text: string, maxLength: number) => Array.from(text.slice(0, maxLength), () => 1)

describe('batchScoredTexts', () => {
  it('sorts texts of two tokens or more by length, and counts the others', async () => {
    const texts = batchScoredTexts(rowsOfLengths([3, 1, 9, 0, 2]), encode, { batchSize: 2, maxLength: 5 })
    const batches = []
    for await (const batch of texts) batches.push(batch.map(({ ids, sizeBytes }) => [ids.length, sizeBytes]))
    expect(batches).toEqual([
      [
        [5, 18],
        [3, 6],
      ],
      [[2, 4]],
    ])
    expect(texts.tokenless).toBe(2)
  })
})

describe('takeScoredTexts', () => {
  it('asks about texts of two tokens or more only, and leaves the next row to be read', async () => {
    const rows = rowsOfLengths([1, 4, 3, 2, 6])
    const asked: number[] = []
    const accepts = ({ text }: { text: string }) => asked.push(text.length) !== 2
    const texts = await takeScoredTexts(rows, 2, encode, 5, accepts)
    expect(texts.map(({ origin }) => origin)).toEqual(['row 1', 'row 3'])
    expect(asked).toEqual([4, 3, 2])
    expect((await rows.next()).value?.origin).toBe('row 4')
  })
})

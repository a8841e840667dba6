import { describe, expect, it } from 'vitest'
import { batchTexts } from '../../src/runtime/batches.js'

async function* rowsOfLengths(lengths: number[]) {
  for (const [index, length] of lengths.entries()) yield { text: 'x'.repeat(length), origin: `row ${index}` }
}

const encode = (text: string, maxLength: number) => Array.from(text.slice(0, maxLength), () => 1)

async function collect(lengths: number[], batchSize: number, maxLength = 100) {
  let empty = 0
  const onEmpty = () => empty++
  const batches = []
  for await (const batch of batchTexts(rowsOfLengths(lengths), encode, { batchSize, maxLength, onEmpty }))
    batches.push(batch)
  return { batches, empty }
}

describe('batchTexts', () => {
  it('uses every text once, the last incomplete batch too', async () => {
    const lengths = Array.from({ length: 101 }, (_, index) => 1 + ((index * 37) % 90))
    const { batches } = await collect(lengths, 4)
    const origins = batches.flat().map(({ origin }) => origin)
    expect(new Set(origins).size).toBe(101)
    expect(origins).toHaveLength(101)
    expect(batches.filter((batch) => batch.length !== 4)).toHaveLength(1)
  })

  it('puts texts of similar length together within a window, and no text far from its place', async () => {
    const lengths = Array.from({ length: 256 }, (_, index) => 1 + ((index * 37) % 90))
    const { batches } = await collect(lengths, 4)
    const padded = batches.reduce(
      (sum, batch) => sum + batch.length * Math.max(...batch.map(({ ids }) => ids.length)),
      0,
    )
    const tokens = lengths.reduce((a, b) => a + b)
    expect(padded / tokens).toBeLessThan(1.1)
    for (const [index, batch] of batches.entries()) {
      for (const { origin } of batch)
        expect(Math.floor(Number(origin.slice(4)) / 64)).toBe(Math.floor(index / 16))
    }
  })

  it('cuts at the greatest length and passes over texts without a token', async () => {
    const { batches, empty } = await collect([500, 0, 3], 2)
    expect(batches.flat().map(({ ids }) => ids.length)).toEqual([100, 3])
    expect(empty).toBe(1)
  })
})

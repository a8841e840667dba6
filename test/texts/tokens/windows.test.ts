import { describe, expect, it } from 'vitest'
import { DATASET_START, type PlacedRow } from '../../../src/texts/tokens/placed-rows.js'
import { type TextWindow, windowTexts } from '../../../src/texts/tokens/windows.js'

async function* rowsOfLengths(lengths: number[]) {
  for (const [index, length] of lengths.entries()) {
    yield { text: 'x'.repeat(length), origin: `row ${index}`, end: { ...DATASET_START, rows: index + 1 } }
  }
}

const encodeAtOnce = (text: string, maxLength: number) => Array.from(text.slice(0, maxLength), () => 1)

async function collectWindows(
  lengths: number[],
  batchSize: number,
  windowBatches = (_rows: number) => 16,
  encode: Parameters<typeof windowTexts>[1] = encodeAtOnce,
) {
  const windows: TextWindow<PlacedRow>[] = []
  const batches = (last: PlacedRow | undefined) => windowBatches(last?.end.rows ?? 0)
  for await (const window of windowTexts(rowsOfLengths(lengths), encode, { batchSize, maxLength: 100 }, batches))
    windows.push(window)
  return windows
}

async function collect(lengths: number[], batchSize: number) {
  const windows = await collectWindows(lengths, batchSize)
  return {
    batches: windows.flatMap(({ batches }) => batches),
    empty: windows.reduce((sum, { tokenless }) => sum + tokenless, 0),
  }
}

describe('windowTexts', () => {
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
      for (const { origin } of batch) expect(Math.floor(Number(origin.slice(4)) / 64)).toBe(Math.floor(index / 16))
    }
  })

  it('cuts at the greatest length and passes over texts without a token', async () => {
    const { batches, empty } = await collect([500, 0, 3], 2)
    expect(batches.flat().map(({ ids }) => ids.length)).toEqual([100, 3])
    expect(empty).toBe(1)
  })
  it('says after every window where the dataset stands, and sizes the next by that', async () => {
    const lengths = [5, 0, 9, 2, 7, 0, 3, 4, 1, 0]
    const windows = await collectWindows(lengths, 2, (rows) => (rows === 0 ? 1 : 2))
    expect(windows.map(({ last: { end }, tokenless }) => [end.rows, tokenless])).toEqual([
      [3, 1],
      [8, 1],
      [10, 1],
    ])
    expect(windows.map(({ batches }) => batches.map((batch) => batch.map(({ ids }) => ids.length)))).toEqual([
      [[9, 5]],
      [
        [7, 4],
        [3, 2],
      ],
      [[1]],
    ])
  })

  it('makes the same windows of a tokenizer that answers later, and asks it for a window at once', async () => {
    const lengths = Array.from({ length: 61 }, (_, index) => (index * 37) % 90)
    const whole = await collectWindows(lengths, 4, () => 4)
    let open = 0
    let most = 0
    const later = await collectWindows(
      lengths,
      4,
      () => 4,
      async (text, maxLength) => {
        most = Math.max(most, ++open)
        await new Promise(setImmediate)
        open--
        return encodeAtOnce(text, maxLength)
      },
    )
    expect(later).toEqual(whole)
    expect(most).toBe(16)
  })
})

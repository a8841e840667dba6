import { expect, it } from 'vitest'
import { verifySizes } from '../../../src/jobs/sweep/verified-blocks.js'
import type { Block } from '../../../src/model/layers/block.js'

const LAYERS = 20

/** Distances that grow from the first block of each size to the last. */
const distances = Object.fromEntries(
  Array.from({ length: LAYERS }, (_, index) => [
    index + 1,
    Array.from({ length: LAYERS - index }, (_, start) => start),
  ]),
)

const texts = Array.from({ length: 8 }, (_, index) => ({ ids: [1, 2, index], origin: `text ${index}`, sizeBytes: 9 }))

/** Measures cuts by a loss of their only block, the same for every text. */
function measuring(loss: (block: Block) => number) {
  const asked = new Set<string>()
  return {
    asked,
    measure: async (batch: unknown[], cuts: Block[][]) =>
      cuts.map(([block]) => {
        asked.add(`${block!.start}:${block!.end}`)
        return Float64Array.from(batch, () => loss(block!))
      }),
  }
}

it('finds a block that is not among the nearest beside the best ones of other sizes', async () => {
  // the best block of 3 layers is the sixth nearest, those of 2 and 4 layers are next to it
  const loss = ({ start, end }: Block) => Math.abs(start - 5) + Math.abs(end - (5 + 3)) + (start < 5 ? 10 : 0)
  const far = { ...distances, 2: distances[2]!.toReversed(), 4: distances[4]!.toReversed() }
  const evaluator = measuring(loss)
  const chosen = await verifySizes(evaluator, { distances: far, sizes: [4, 2, 3], texts })
  expect(Object.fromEntries(chosen)).toEqual({
    2: { start: 5, end: 7 },
    3: { start: 5, end: 8 },
    4: { start: 5, end: 9 },
  })
  expect(evaluator.asked.size).toBeLessThan(3 * 8 + 12)
})

it('measures only blocks of the model, each once on a text', async () => {
  const seen: string[] = []
  const evaluator = measuring(({ start, end }) => {
    expect(start >= 0 && end <= LAYERS && end > start).toBe(true)
    return LAYERS - start
  })
  const measure: typeof evaluator.measure = (batch, cuts) => {
    for (const [block] of cuts) seen.push(...batch.map((text) => JSON.stringify([block, text])))
    return evaluator.measure(batch, cuts)
  }
  await verifySizes({ measure }, { distances, sizes: [1, 2, 19], texts })
  expect(new Set(seen).size).toBe(seen.length)
})

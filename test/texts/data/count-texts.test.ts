import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { openDataset } from '../../../src/texts/data/dataset.js'
import { FIXTURES } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const TEXT = 'in the beginning '.repeat(20)
const lines = (count: number) => `${JSON.stringify({ text: TEXT })}\n`.repeat(count)

/** How many texts a dataset expects to have after each of some numbers of texts were read. */
async function countAfter(path: string, reads: number[], options = {}) {
  const dataset = await openDataset({ dataset: path, ...options })
  expect(dataset.countTexts()?.isEstimate ?? null).toBe(null)
  const found = []
  let texts = 0
  for await (const _ of dataset.rows()) if (reads.includes(++texts)) found.push(dataset.countTexts())
  return [...found, dataset.countTexts()]
}

it('estimates the texts of a file by its bytes, and knows them at its end', async () => {
  const path = join(makeTempFolder(), 'a.jsonl')
  writeFileSync(path, lines(3000))
  const counts = await countAfter(path, [1, 700, 2000])
  for (const count of counts.slice(0, 3)) {
    expect(count).toMatchObject({ isEstimate: true })
    expect(Math.abs(count!.texts - 3000)).toBeLessThan(150)
  }
  expect(counts.at(-1)).toEqual({ texts: 3000, isEstimate: false })
})

it('waits for a whole chunk of a packed file', async () => {
  const path = join(makeTempFolder(), 'a.jsonl.gz')
  // stored, so that the file is as large as its content
  writeFileSync(path, gzipSync(lines(3000), { level: 0 }))
  const [early, later, end] = await countAfter(path, [1, 2500])
  expect(early).toBeNull()
  expect(later).toMatchObject({ isEstimate: true })
  expect(Math.abs(later!.texts - 3000)).toBeLessThan(600)
  expect(end).toEqual({ texts: 3000, isEstimate: false })
})

it('counts the files of a folder together, and no more than are asked for', async () => {
  const folder = join(makeTempFolder(), 'texts')
  mkdirSync(folder)
  for (const name of ['a', 'b', 'c']) writeFileSync(join(folder, `${name}.jsonl`), lines(50))
  const [second] = await countAfter(folder, [60])
  expect(second).toMatchObject({ isEstimate: true })
  expect(Math.abs(second!.texts - 150)).toBeLessThan(10)
  expect(await openDataset({ dataset: folder, datasetSize: 70 })).toHaveProperty('column', 'text')
  const limited = await openDataset({ dataset: folder, datasetSize: 70 })
  expect(limited.countTexts()).toEqual({ texts: 70, isEstimate: false })
  const tooMany = await openDataset({ dataset: folder, datasetSize: 1000 })
  for await (const _ of tooMany.rows()) tooMany.countTexts()
  expect(tooMany.countTexts()).toEqual({ texts: 150, isEstimate: false })
})

it('takes the rows that a Parquet file says it has', async () => {
  const path = join(FIXTURES, 'data/snappy.parquet')
  const [first, end] = await countAfter(path, [1])
  expect(first).toEqual({ texts: end!.texts, isEstimate: true })
})

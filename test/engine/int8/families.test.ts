import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { type Model, openModel, prepareModel } from '../../../src/engine/model.js'
import { openWholeSession } from '../../../src/engine/sessions/whole-session.js'
import { openEvaluator } from '../../../src/jobs/evaluate/open-evaluator.js'
import { parseBlocks } from '../../../src/model/layers/blocks.js'
import { fixtureFolder, listFixtures, measureBlocks, ONE_THREAD, readReference } from '../../support/fixture-model.js'
import { largestDifference } from '../../support/largest-difference.js'
import { LONG_TESTS, sample } from '../../support/long-tests.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const home = makeTempFolder()
vi.stubEnv('HF_HOME', home)
afterAll(() => {
  vi.unstubAllEnvs()
})

const open = async (name: string, dtype: 'fp32' | 'q8') =>
  prepareModel(await openModel({ model: fixtureFolder(name), format: 'safetensors', dtype }))

/** Cosines of every two states at the only token of each of some texts, each run by itself. */
async function measureTokens({ decoder, config }: Model, tokens: number[]): Promise<number[]> {
  const session = await openWholeSession(decoder, config, ONE_THREAD)
  const size = decoder.states.length
  const cosines: number[] = []
  for (const id of tokens) {
    const batch = { texts: [{ ids: [id], origin: `token ${id}` }], asked: [[0]] }
    const gram: Float64Array = (await session.measureGrams([batch]).next()).value
    const norm = (state: number) => Math.sqrt(gram[state * (size + 1)]!)
    gram.forEach((product, place) => {
      cosines.push(product / (norm(Math.floor(place / size)) * norm(place % size)))
    })
  }
  await session.close()
  return cosines
}

it.each(sample(listFixtures(), 12))('%s in q8 is near PyTorch, texts of mixed lengths in one batch', async (name) => {
  const distances = await measureBlocks(await open(name, 'q8'), name)
  const difference = largestDifference(distances, Object.values(readReference(fixtureFolder(name)).all).flat())
  expect(difference).toBeLessThan(0.0025)
  expect(difference).toBeGreaterThan(0)
})

/** ONNX Runtime takes seconds to load 64 experts in int8. */
const mixtures = sample(
  listFixtures().filter(
    (name) => /moe|mixtral|granite-hybrid|jamba|nemotron-h/.test(name) && (LONG_TESTS || name !== 'qwen3-moe-64'),
  ),
  12,
)

describe.each(mixtures)('%s in q8, with experts that may get no token', (name) => {
  it('is near float32 on texts of one token', async () => {
    const tokens = [...new Set(readReference(fixtureFolder(name)).texts.flat())].slice(0, 20)
    const [rounded, exact] = [await open(name, 'q8'), await open(name, 'fp32')]
    const expected = await measureTokens(exact, tokens)
    const found = await measureTokens(rounded, tokens)
    expect(found.length).toBe(expected.length)
    const differences = found.map((cosine, index) => Math.abs(cosine - expected[index]!))
    const mean = differences.reduce((sum, difference) => sum + difference) / differences.length
    // a token may be so near between two experts that rounding sends it to the other
    expect(mean).toBeLessThan(0.004)
  })

  it('gives likelihoods near those of PyTorch, whole and with every block cut, text by text', async () => {
    const reference: Record<string, number[]> = JSON.parse(
      readFileSync(join(fixtureFolder(name), 'perplexity.json'), 'utf8'),
    )
    const evaluator = await openEvaluator(await open(name, 'q8'), ONE_THREAD)
    const cuts = Object.keys(reference)
    const blocks = cuts.map((cut) => (cut === '' ? [] : parseBlocks(cut)))
    for (const [text, ids] of readReference(fixtureFolder(name)).texts.entries()) {
      const measured = await evaluator.measure([{ ids, origin: name }], blocks)
      const perToken = (sums: number[]) => sums.map((sum) => sum / (ids.length - 1))
      const expected = cuts.map((cut) => reference[cut]![text]!)
      const found = perToken(measured.map(([sum]) => sum!))
      expect(largestDifference(found, perToken(expected)), `text ${text}`).toBeLessThan(0.1)
    }
    await evaluator.close()
  })
})

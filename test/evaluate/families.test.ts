import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openEvaluator } from '../../src/evaluate/evaluator.js'
import { parseBlocks } from '../../src/layers/blocks.js'
import { openModel } from '../../src/model.js'
import { ONE_THREAD } from '../support/fixture-model.js'
import { FIXTURES } from '../support/paths.js'

const models = ['families', 'onnx'].flatMap((kind) =>
  readdirSync(join(FIXTURES, kind))
    .filter((name) => existsSync(join(FIXTURES, kind, name, 'perplexity.json')))
    .map((name) => join(kind, name)),
)

function readJson(...path: string[]) {
  return JSON.parse(readFileSync(join(FIXTURES, ...path), 'utf8'))
}

/**
 * Largest difference from PyTorch in the mean negative log-likelihood of any text under any cut, in nats. All texts
 * run as one batch, so that every text but the longest is padded.
 */
async function compareWithPyTorch(name: string, modelFile?: string): Promise<number> {
  const reference: Record<string, number[]> = readJson(name, 'perplexity.json')
  const texts: number[][] = readJson(name, 'reference.json').texts
  const model = await openModel({ model: join(FIXTURES, name), modelFile })
  const evaluator = await openEvaluator(model, ONE_THREAD)
  const cuts = Object.keys(reference)
  const scored = texts.flatMap((ids, text) => (ids.length > 1 ? [{ ids, text, origin: name }] : []))
  const batches = model.precision.sharesScaleInBatch ? scored.map((text) => [text]) : [scored]
  let largest = 0
  for (const batch of batches) {
    const measured = await evaluator.measure(
      batch,
      cuts.map((cut) => (cut === '' ? [] : parseBlocks(cut))),
    )
    for (const [index, cut] of cuts.entries()) {
      for (const [row, { ids, text }] of batch.entries()) {
        const difference = Math.abs(measured[index]![row]! - reference[cut]![text]!) / (ids.length - 1)
        expect(difference, `${cut} of text ${text}`).not.toBeNaN()
        largest = Math.max(largest, difference)
      }
    }
  }
  await evaluator.close()
  return largest
}

describe.each(models)('%s', (name) => {
  it('gives the likelihoods of PyTorch, whole and with every block cut', async () => {
    const difference = await compareWithPyTorch(name)
    expect(difference).toBeLessThan(1e-5)
  })
})

const otherPrecisions = models.flatMap((name) => {
  const folder = join(FIXTURES, name, 'onnx')
  const files = existsSync(folder) ? readdirSync(folder) : []
  return files
    .filter((file) => file.endsWith('.onnx') && file !== 'model.onnx')
    .map((file) => [name, join('onnx', file)] as const)
})

describe.each(otherPrecisions)('%s, %s', (name, modelFile) => {
  it('comes near to PyTorch in float32', async () => {
    const difference = await compareWithPyTorch(name, modelFile)
    expect(difference).toBeLessThan(0.5)
  })
})

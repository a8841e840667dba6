import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Model } from '../../../src/engine/model.js'
import { openModel } from '../../../src/engine/model.js'
import { openEvaluator } from '../../../src/jobs/evaluate/open-evaluator.js'
import { cutBlocks } from '../../../src/model/graph/cut.js'
import type { Block } from '../../../src/model/layers/block.js'
import { parseBlocks } from '../../../src/model/layers/blocks.js'
import type { EncodedText } from '../../../src/texts/tokens/windows.js'
import { ONE_THREAD } from '../../support/fixture-model.js'
import { sample } from '../../support/long-tests.js'
import { FIXTURES } from '../../support/paths.js'

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
  const cuts = Object.keys(reference).filter((cut) => !isDivided(name, cut))
  const scored = texts.flatMap((ids, text) => (ids.length > 1 ? [{ ids, text, origin: name }] : []))
  const batches = model.precision.sharesScaleInBatch ? scored.map((text) => [text]) : [scored]
  let largest = 0
  for (const batch of batches) {
    const measured = await measureCuts(
      model,
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
  return largest
}

/** Whether a cut lies between layers that read keys and values of earlier ones: it is refused. */
function isDivided(name: string, cut: string): boolean {
  return name === 'families/gemma4-e2b' && cut === '4:5'
}

/** All cuts by one evaluator; each by its own if layers read keys of earlier ones, between which there is no boundary. */
async function measureCuts(model: Model, batch: EncodedText[], cuts: Block[][]): Promise<Float64Array[]> {
  const isShared = Number(model.config.raw.num_kv_shared_layers ?? 0) > 0
  const groups = isShared ? cuts.map((cut) => ({ cuts: [cut], blocks: cut })) : [{ cuts, blocks: undefined }]
  const measured: Float64Array[] = []
  for (const { cuts, blocks } of groups) {
    const evaluator = await openEvaluator(model, { ...ONE_THREAD, blocks })
    measured.push(...(await evaluator.measure(batch, cuts)))
    await evaluator.close()
  }
  return measured
}

describe('layers that read keys and values of earlier ones', () => {
  const open = () => openModel({ model: join(FIXTURES, 'families/gemma4-e2b') })
  const batch = [{ ids: [3, 4, 5], origin: 'here' }]

  it('are not divided from them', async () => {
    const evaluator = await openEvaluator(await open(), ONE_THREAD)
    await expect(evaluator.measure(batch, [[]])).rejects.toThrow(
      /the layers from 4 on read keys and values of earlier layers/,
    )
    await evaluator.close()
  })

  it('are not kept without them', async () => {
    const { decoder } = await open()
    expect(() => cutBlocks(decoder, [{ start: 2, end: 3 }])).toThrow(
      /kept layers read the keys and values of a removed layer/,
    )
    expect(cutBlocks(decoder, [{ start: 2, end: 6 }]).states).toHaveLength(3)
  })
})

describe.each(sample(models, 5))('%s', (name) => {
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

describe.each(sample(otherPrecisions, 3))('%s, %s', (name, modelFile) => {
  it('comes near to PyTorch in float32', async () => {
    const difference = await compareWithPyTorch(name, modelFile)
    expect(difference).toBeLessThan(0.5)
  })
})

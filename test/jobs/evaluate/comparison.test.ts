import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Model, openModel } from '../../../src/engine/model.js'
import type { Compared, Evaluator } from '../../../src/jobs/evaluate/evaluator.js'
import { openEvaluator } from '../../../src/jobs/evaluate/open-evaluator.js'
import { openRepairingEvaluator } from '../../../src/jobs/strategies/repairing-evaluator.js'
import { parseBlocks } from '../../../src/model/layers/blocks.js'
import type { EncodedText } from '../../../src/texts/tokens/windows.js'
import { listFixtures, ONE_THREAD, readReference } from '../../support/fixture-model.js'
import { FIXTURES } from '../../support/paths.js'

const compared = listFixtures().filter((name) => existsSync(join(FIXTURES, 'families', name, 'comparison.json')))

function readTexts(folder: string): EncodedText[] {
  return readReference(folder).texts.map((ids) => ({ ids, origin: folder }))
}

const cutsOf = (names: string[]) => names.map((name) => (name === '' ? [] : parseBlocks(name)))

async function using<T>(evaluator: Promise<Evaluator>, use: (evaluator: Evaluator) => Promise<T>): Promise<T> {
  const opened = await evaluator
  return use(opened).finally(() => opened.close())
}

it.each(compared)("%s: divergence and agreement are PyTorch's", async (name) => {
  const folder = join(FIXTURES, 'families', name)
  const reference: Record<string, [divergence: number, agreement: number][]> = JSON.parse(
    readFileSync(join(folder, 'comparison.json'), 'utf8'),
  )
  const model = await openModel({ model: folder })
  const texts = readTexts(folder)
  const names = Object.keys(reference)
  const [whole, ...found] = await using(openEvaluator(model, ONE_THREAD), (evaluator) =>
    evaluator.compare(texts, cutsOf(names)),
  )
  expect(found).toHaveLength(names.length)
  for (const [index, cut] of names.entries()) {
    const { divergences, agreements, nats } = found[index]!
    for (const [text, [divergence, agreement]] of reference[cut]!.entries()) {
      const where = `${cut} of text ${text}`
      const scored = Math.max(1, texts[text]!.ids.length - 1)
      expect(Math.abs(divergences[text]! - divergence) / scored, where).toBeLessThan(1e-5)
      expect(agreements[text], where).toBe(agreement)
      if (cut === '') expect(nats[text], where).toBe(whole!.nats[text])
    }
  }
})

describe('a graph that quantises activations with one scale for a batch', () => {
  const folder = join(FIXTURES, 'onnx/llama')
  const [text] = readTexts(folder).filter(({ ids }) => ids.length > 8)
  const cuts = cutsOf(['1:2', '1:3'])
  const open = () => openModel({ model: folder, modelFile: 'onnx/model_quantized.onnx' })
  const compare = (model: Model, candidates = cuts) =>
    using(openEvaluator(model, ONE_THREAD), (evaluator) => evaluator.compare([text!], candidates))

  it('gives a model the same numbers whichever others are compared with it', async () => {
    const model = await open()
    const all = await compare(model)
    expect(all).toHaveLength(3)
    expect(await compare(model, [cuts[1]!])).toEqual([all[0], all[2]])
    expect(all[0]!.divergences[0]).toBe(0)
    expect(all[2]!.divergences[0]).toBeGreaterThan(0)
  })
})

it('compares repaired cuts, which come nearer to the whole model than they are unrepaired', async () => {
  const folder = join(FIXTURES, 'families/llama')
  const model = await openModel({ model: folder })
  const texts = readTexts(folder).filter(({ ids }) => ids.length > 8)
  const cuts = cutsOf(['1:2', '2:3'])
  const compare = (evaluator: Promise<Evaluator>): Promise<Compared[]> =>
    using(evaluator, (opened) => opened.compare(texts, cuts))
  const plain = await compare(openEvaluator(model, ONE_THREAD))
  const repaired = await compare(openRepairingEvaluator(model, [texts], ONE_THREAD))
  const total = ({ divergences }: Compared) => divergences.reduce((sum, value) => sum + value)
  expect(repaired[0]).toEqual(plain[0])
  expect(total(repaired[1]!)).toBeLessThan(total(plain[1]!))
  expect(total(repaired[2]!)).toBeLessThan(total(plain[2]!))
})

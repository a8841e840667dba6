import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { type Model, openModel } from '../../../src/engine/model.js'
import { openEvaluator } from '../../../src/jobs/evaluate/open-evaluator.js'
import { makeReplacements } from '../../../src/jobs/repair/make-replacements.js'
import { repairCuts } from '../../../src/jobs/repair/repair-cuts.js'
import { openRepairLayers } from '../../../src/jobs/repair/repair-layers.js'
import { replaceWeights } from '../../../src/model/graph/replace-weights.js'
import type { Block } from '../../../src/model/layers/block.js'
import type { EncodedText } from '../../../src/texts/tokens/windows.js'
import { copyFixture } from '../../support/fixture-model.js'
import { drawBatches, makeLinearModel, overwrite } from '../../support/linear-model.js'
import { FIXTURES } from '../../support/paths.js'

async function repair(model: Model, removed: Block[], batches: EncodedText[][]) {
  const layers = await openRepairLayers(model, removed, { device: 'cpu' })
  try {
    return await repairCuts(model, { layers, removed, batches, device: 'cpu' })
  } finally {
    await layers.close()
  }
}

async function measureRepair(model: Model, removed: Block[]) {
  const vocabulary = model.config.raw.vocab_size as number
  const repairs = await repair(model, removed, drawBatches(vocabulary))
  const replacements = await makeReplacements(
    model.decoder,
    repairs.flatMap(({ changes }) => changes),
  )
  const repaired = { ...model, decoder: replaceWeights(model.decoder, replacements) }
  const [texts] = drawBatches(vocabulary, 1)
  const nats = async (model: Model, removed: Block[]) => {
    const evaluator = await openEvaluator(model, { device: 'cpu' })
    const [perText] = await evaluator.measure(texts!, [removed])
    await evaluator.close()
    return perText!.reduce((sum, value) => sum + value, 0) / texts!.reduce((sum, { ids }) => sum + ids.length - 1, 0)
  }
  return {
    repairs,
    whole: await nats(model, []),
    cut: await nats(model, removed),
    repaired: await nats(repaired, removed),
  }
}

it('restores a model in which a layer adds what the layer before it could have added', async () => {
  const folder = await makeLinearModel()
  const { whole, cut, repaired, repairs } = await measureRepair(await openModel({ model: folder }), [
    { start: 1, end: 2 },
  ])
  expect(Math.abs(cut - whole)).toBeGreaterThan(0.01)
  expect(Math.abs(repaired - whole)).toBeLessThan(1e-3)
  expect(repairs[0]).toMatchObject({ layer: 0, removed: { start: 1, end: 2 } })
  expect(repairs[0]!.changes.map(({ ridge }) => ridge)).toContain(1e-6)
  expect(repairs[0]!.heldOutShare).toBeLessThan(1e-3)
})

it('restores a model in which a layer adds the same to every token, by the bias', async () => {
  const folder = copyFixture('gpt2')
  await overwrite(folder, {
    'transformer.h.1.attn.c_proj.weight': 'zero',
    'transformer.h.1.mlp.c_proj.weight': 'zero',
  })
  const { whole, cut, repaired } = await measureRepair(await openModel({ model: folder }), [{ start: 1, end: 2 }])
  expect(Math.abs(cut - whole)).toBeGreaterThan(0.01)
  expect(Math.abs(repaired - whole)).toBeLessThan(1e-3)
})

interface Reference {
  changed: Record<string, number>
  whole: number
  cut: number
  repaired: number
}

const REFERENCE: Record<string, { repaired: Reference }> = JSON.parse(
  readFileSync(join(FIXTURES, 'repair.json'), 'utf8'),
)

it.each(Object.keys(REFERENCE))('repairs as the same done with PyTorch: %s', async (name) => {
  const folder = copyFixture(name)
  const { texts }: { texts: number[][] } = JSON.parse(readFileSync(join(folder, 'reference.json'), 'utf8'))
  const batches = [texts.slice(0, 4), texts.slice(4)].map((batch) => batch.map((ids) => ({ ids, origin: name })))
  const model = await openModel({ model: folder })
  const removed = [{ start: 1, end: 2 }]
  const repairs = await repair(model, removed, batches)
  const changes = repairs.flatMap(({ changes }) => changes)
  const decoder = replaceWeights(model.decoder, await makeReplacements(model.decoder, changes))
  const nats = async (decoder: Model['decoder'], removed: Block[]) => {
    const evaluator = await openEvaluator({ ...model, decoder }, { device: 'cpu' })
    let sum = 0
    for (const batch of batches) {
      const [perText] = await evaluator.measure(batch, [removed])
      sum += perText!.reduce((total, value) => total + value, 0)
    }
    await evaluator.close()
    return sum
  }

  const { changed, whole, cut, repaired } = REFERENCE[name]!.repaired
  expect(changes.map(({ ridge }) => ridge)).toEqual(Object.values(changed))
  for (const [index, name] of Object.keys(changed).entries()) {
    expect(changes[index]!.product.weight.name).toContain(`${name}.weight`)
  }
  expect((await nats(model.decoder, [])) / whole).toBeCloseTo(1, 5)
  expect((await nats(model.decoder, removed)) / cut).toBeCloseTo(1, 5)
  expect((await nats(decoder, removed)) / repaired).toBeCloseTo(1, 4)
})

it('refuses a block that has no layer before it', async () => {
  const model = await openModel({ model: copyFixture('llama') })
  const batches = drawBatches(8)
  await expect(repair(model, [{ start: 0, end: 1 }], batches)).rejects.toThrow(
    /block \[0, 1\) cannot be repaired: .* there is none/,
  )
})

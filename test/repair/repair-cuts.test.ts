import { open } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { openSafetensors } from '../../src/checkpoint/safetensors.js'
import { openEvaluator } from '../../src/evaluate/evaluator.js'
import { type Model, openModel } from '../../src/model.js'
import { repairCuts } from '../../src/repair/repair-cuts.js'
import { makeReplacements, replaceWeights } from '../../src/repair/replace-weights.js'
import type { Block } from '../../src/similarity/result.js'
import { copyFixture } from '../graph/build/fixture-model.js'

/** A few batches of texts of tokens drawn by chance, of several lengths. */
function drawBatches(vocabulary: number, count = 10) {
  let seed = 1
  const draw = () => {
    seed = (seed * 48271) % 2147483647
    return seed / 2147483647
  }
  return Array.from({ length: count }, (_, batch) =>
    Array.from({ length: 4 }, () => ({
      ids: Array.from({ length: 16 + (batch % 3) * 4 }, () => Math.floor(draw() * vocabulary)),
      origin: 'drawn',
    })),
  )
}

/** Overwrites tensors of a checkpoint: with zeros, or with another tensor's values. */
async function overwrite(folder: string, changes: Record<string, 'zero' | { from: string }>): Promise<void> {
  const { tensors } = await openSafetensors(folder)
  for (const [name, change] of Object.entries(changes)) {
    const target = tensors.get(name)!
    const file = await open(target.file, 'r+')
    const bytes = new Uint8Array(target.sizeBytes)
    if (change !== 'zero') {
      const source = tensors.get(change.from)!
      await file.read(bytes, 0, source.sizeBytes, source.offsetBytes)
    }
    await file.write(bytes, 0, bytes.length, target.offsetBytes)
    await file.close()
  }
}

async function measureRepair(model: Model, removed: Block[]) {
  const vocabulary = model.config.raw.vocab_size as number
  const repairs = await repairCuts(model, { removed, batches: drawBatches(vocabulary), device: 'cpu' })
  const replacements = await makeReplacements(model.decoder, repairs)
  const repaired = { ...model, decoder: replaceWeights(model.decoder, replacements) }
  const [texts] = drawBatches(vocabulary, 1)
  const nats = async (model: Model, removed: Block[]) => {
    const evaluator = await openEvaluator(model, { device: 'cpu' })
    const [perText] = await evaluator.measure(texts!, [removed])
    await evaluator.close()
    return (
      perText!.reduce((sum, value) => sum + value, 0) /
      texts!.reduce((sum, { ids }) => sum + ids.length - 1, 0)
    )
  }
  return {
    repairs,
    whole: await nats(model, []),
    cut: await nats(model, removed),
    repaired: await nats(repaired, removed),
  }
}

it('gives a model back where a layer adds what the layer before it has at hand', async () => {
  const folder = copyFixture('llama')
  const name = (layer: number, module: string) => `model.layers.${layer}.${module}.weight`
  // layer 0 adds nothing, so layer 1 has the same inner activations, and adds a linear map of them
  await overwrite(folder, {
    [name(0, 'self_attn.o_proj')]: 'zero',
    [name(0, 'mlp.down_proj')]: 'zero',
    [name(1, 'self_attn.o_proj')]: 'zero',
    ...Object.fromEntries(
      ['post_attention_layernorm', 'mlp.gate_proj', 'mlp.up_proj'].map((module) => [
        name(1, module),
        { from: name(0, module) },
      ]),
    ),
  })
  const { whole, cut, repaired, repairs } = await measureRepair(await openModel({ model: folder }), [
    { start: 1, end: 2 },
  ])
  expect(Math.abs(cut - whole)).toBeGreaterThan(0.01)
  expect(Math.abs(repaired - whole)).toBeLessThan(1e-3)
  expect(repairs).toMatchObject([{ product: { layer: 0 }, ridge: 1e-6 }])
  expect(repairs[0]!.heldOutShare).toBeLessThan(1e-3)
})

it('gives a model back where a layer adds the same to every token, by the bias', async () => {
  const folder = copyFixture('gpt2')
  await overwrite(folder, {
    'transformer.h.1.attn.c_proj.weight': 'zero',
    'transformer.h.1.mlp.c_proj.weight': 'zero',
  })
  const { whole, cut, repaired } = await measureRepair(await openModel({ model: folder }), [
    { start: 1, end: 2 },
  ])
  expect(Math.abs(cut - whole)).toBeGreaterThan(0.01)
  expect(Math.abs(repaired - whole)).toBeLessThan(1e-3)
})

it('refuses a block that has no layer before it', async () => {
  const model = await openModel({ model: copyFixture('llama') })
  const batches = drawBatches(8)
  await expect(
    repairCuts(model, { removed: [{ start: 0, end: 1 }], batches, device: 'cpu' }),
  ).rejects.toThrow(/block \[0, 1\) cannot be repaired: .* there is none/)
})

import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openModel } from '../../../src/engine/model.js'
import { openSafetensors, type TensorLocation } from '../../../src/files/checkpoint/safetensors.js'
import { pruneModel } from '../../../src/jobs/prune/prune.js'
import { cutBlocks } from '../../../src/model/graph/cut.js'
import { CONFIGURED_BY_LAYER, VARIANTS } from '../../support/fixture-lists.js'
import { fixtureFolder, listFixtures } from '../../support/fixture-model.js'
import { largestDifference } from '../../support/largest-difference.js'
import { sample } from '../../support/long-tests.js'
import { runDecoder } from '../../support/run-decoder.js'
import { makeTempFolder } from '../../support/temp-folder.js'

async function prune(name: string, start: number, end: number): Promise<string> {
  const output = join(makeTempFolder(), 'pruned')
  const plan = { strategy: 'explicit', removed: [{ start, end }] }
  await pruneModel({ model: fixtureFolder(name), format: 'safetensors', output, plan })
  return output
}

/** Largest difference of a logit, as a part of the largest logit. */
async function compare(name: string, start: number, end: number): Promise<number> {
  const whole = await openModel({ model: fixtureFolder(name), format: 'safetensors' })
  const pruned = await openModel({ model: await prune(name, start, end), format: 'safetensors' })
  expect(pruned.config.layers).toBe(whole.config.layers - (end - start))
  const expected = await runDecoder(cutBlocks(whole.decoder, [{ start, end }]), whole.config)
  const found = await runDecoder(pruned.decoder, pruned.config)
  return largestDifference(found, expected) / expected.reduce((a, b) => Math.max(a, Math.abs(b)), 0)
}

/** Families that compute something by a layer's number, and the number of their last layer. */
const ONLY_THE_END: Record<string, number> = { diffllama: 2, 'gpt2-scaled': 2, jamba: 3 }

const fixtures = listFixtures().filter((name) => !VARIANTS.includes(name))

describe('a pruned checkpoint computes what the cut graph does', () => {
  it.each(sample(fixtures, 7))('%s', async (name) => {
    const start = ONLY_THE_END[name] ?? 1
    expect(await compare(name, start, start + 1)).toBeLessThan(1e-5)
  })

  it.each(sample(CONFIGURED_BY_LAYER, 10))('%s, cut elsewhere', async (name) => {
    expect(await compare(name, 0, 1)).toBeLessThan(1e-5)
    expect(await compare(name, 0, 2)).toBeLessThan(1e-5)
  })
})

describe('a layer that would be computed otherwise', () => {
  it.each([
    ['gpt2-scaled', 'scale_attn_by_inverse_layer_idx'],
    ['diffllama', 'depends on the number of the layer'],
    ['minimax-computed', 'decay of the layer that becomes layer 0 would be another'],
  ])('of %s is refused by name', async (name, reason) => {
    await expect(prune(name, 0, 1)).rejects.toMatchObject({
      name: 'LayerpruneError',
      message: expect.stringContaining(reason),
    })
  })

  it('of jamba is refused with the period that chooses its kind', async () => {
    await expect(prune('jamba', 1, 2)).rejects.toMatchObject({
      name: 'LayerpruneError',
      message: expect.stringContaining('attn_layer_period = 2 chooses layers by their number'),
    })
  })

  it.each([0, 2, 3])('of zamba2 is refused because of shared weights: layer %d', async (layer) => {
    await expect(prune('zamba2', layer, layer + 1)).rejects.toMatchObject({
      name: 'LayerpruneError',
      message: expect.stringContaining('layers of zamba2 share weights that are stored in one of them'),
    })
  })
})

describe('tensors that are kept', () => {
  const some = ['bloom', 'falcon', 'gpt2', 'gpt-neox', 'granitemoe', 'llama', 'mixtral', 'opt', 'qwen3-moe', 'stablelm']
  it.each(some)('keep their bytes: %s', async (name) => {
    const before = await openSafetensors(fixtureFolder(name))
    const after = await openSafetensors(await prune(name, 0, 1))
    const oldName = (tensor: string) =>
      tensor.replace(/(^|\.)(layers|h)\.(\d+)/, (_, dot, list, n) => `${dot}${list}.${Number(n) + 1}`)
    expect(after.metadata).toEqual(before.metadata)
    expect(after.tensors.size).toBeGreaterThan(before.tensors.size / 3)
    expect(after.tensors.size).toBeLessThan(before.tensors.size)
    for (const tensor of after.tensors.values()) {
      const source = before.tensors.get(oldName(tensor.name))!
      expect(tensor).toMatchObject({ dtype: source.dtype, shape: source.shape })
      expect((await readBytes(tensor)).equals(await readBytes(source)), tensor.name).toBe(true)
    }
  })
})

async function readBytes({ file, offsetBytes, sizeBytes }: TensorLocation): Promise<Buffer> {
  const handle = await open(file)
  const { buffer } = await handle.read(Buffer.alloc(sizeBytes), 0, sizeBytes, offsetBytes)
  await handle.close()
  return buffer
}

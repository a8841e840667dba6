import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openSafetensors } from '../../../src/files/checkpoint/safetensors.js'
import { pruneModel } from '../../../src/jobs/prune/prune.js'
import { buildFrom, fixtureFolder, measureBlocks } from '../../support/fixture-model.js'
import { makeTempFolder } from '../../support/temp-folder.js'
import { readTensors, writeTensors } from '../../support/tensor-file.js'

const LLAMA = fixtureFolder('llama')

/** A copy of a small Llama whose tensors have other names. */
function rename(rename: (name: string) => string): string {
  const folder = makeTempFolder()
  cpSync(LLAMA, folder, { recursive: true })
  const tensors = [...readTensors(join(LLAMA, 'model.safetensors'))]
  writeTensors(join(folder, 'model.safetensors'), new Map(tensors.map(([name, tensor]) => [rename(name), tensor])))
  return folder
}

const measure = async (folder: string) => measureBlocks(await buildFrom(folder), 'llama')

it.each([
  ['the whole model was compiled', (name: string) => `_orig_mod.${name}`],
  ['it was compiled inside DistributedDataParallel', (name: string) => `module._orig_mod.${name}`],
  ['each layer was compiled', (name: string) => name.replace(/layers\.\d+\./, '$&_orig_mod.')],
])('names are those of the model if %s', async (_, prefix) => {
  expect(await measure(rename(prefix))).toEqual(await measure(LLAMA))
})

it('a model that was compiled is pruned under its own names', async () => {
  const output = join(makeTempFolder(), 'pruned')
  const plan = { strategy: 'explicit', removed: [{ start: 1, end: 2 }] }
  await pruneModel({ model: rename((name) => `_orig_mod.${name}`), output, plan })
  const names = [...readTensors(join(output, 'model.safetensors')).keys()]
  expect(names.every((name) => /^(model|lm_head)\./.test(name))).toBe(true)
})

it('names of which only some are those of a compiled model are refused', async () => {
  const folder = rename((name) => (name.includes('layers.0.') ? `_orig_mod.${name}` : name))
  await expect(openSafetensors(folder)).rejects.toMatchObject({
    message: expect.stringMatching(/^some tensors have torch.compile's prefix and some do not: "_orig_mod.*", "/),
    hint: 'save the model again from what was compiled (model._orig_mod)',
  })
})

it('a tensor that is there twice is refused', async () => {
  const folder = rename((name) => name.replace('layers.1.mlp', 'layers.0._orig_mod.mlp'))
  await expect(openSafetensors(folder)).rejects.toThrow(/tensor "model.layers.0.mlp.*" is there twice/)
})

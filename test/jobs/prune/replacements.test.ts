import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openSafetensors } from '../../../src/files/checkpoint/safetensors.js'
import { pruneModel } from '../../../src/jobs/prune/prune.js'
import { fixtureFolder } from '../../support/fixture-model.js'
import { makeTempFolder } from '../../support/temp-folder.js'
import { readTensors } from '../../support/tensor-file.js'

const NAME = 'model.layers.2.mlp.down_proj.weight'
const plan = { strategy: 'explicit', removed: [{ start: 0, end: 1 }] }

function prune(values: Float32Array, shape: number[], name = NAME) {
  const folder = makeTempFolder()
  const replacements = new Map([[name, { shape, data: values }]])
  return pruneModel({ model: fixtureFolder('llama'), output: join(folder, 'pruned'), plan, replacements })
}

it('a replaced tensor replaces the one of its old name, all others are kept', async () => {
  const source = (await openSafetensors(fixtureFolder('llama'))).tensors.get(NAME)!
  expect(source.dtype).toBe('F32')
  const values = Float32Array.from({ length: source.sizeBytes / 4 }, (_, index) => index / 3)
  const { output } = await prune(values, source.shape)
  const before = readTensors(join(fixtureFolder('llama'), 'model.safetensors'))
  const after = readTensors(join(output, 'model.safetensors'))
  const replaced = 'model.layers.1.mlp.down_proj.weight'
  expect(after.get(replaced)!.data).toEqual(Buffer.from(values.buffer))
  for (const [name, { data }] of after) {
    const old = name.replace(/layers\.(\d+)/, (_, layer) => `layers.${Number(layer) + 1}`)
    if (name !== replaced) expect(data).toEqual(before.get(old)!.data)
  }
})

it('a replacement that fits no kept tensor is refused', async () => {
  await expect(prune(new Float32Array(4), [2, 2])).rejects.toThrow(/has the shape \[32, \d+\], not \[2, 2\]/)
  const gone = 'model.layers.0.mlp.down_proj.weight'
  await expect(prune(new Float32Array(4), [2, 2], gone)).rejects.toThrow(/is not among those kept/)
})

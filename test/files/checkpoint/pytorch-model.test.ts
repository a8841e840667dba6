import { copyFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openModel } from '../../../src/engine/model.js'
import { pruneModel } from '../../../src/jobs/prune/prune.js'
import { copyFixture, fixtureFolder, measureTexts, readReference } from '../../support/fixture-model.js'
import { largestDifference } from '../../support/largest-difference.js'
import { FIXTURES } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'
import { readTensors } from '../../support/tensor-file.js'

/** The fixture of GPT-2 with its tensors in a file of torch.save. */
function makeFolder(): string {
  const folder = copyFixture('gpt2')
  rmSync(join(folder, 'model.safetensors'))
  copyFileSync(join(FIXTURES, 'pytorch/gpt2/pytorch_model.bin'), join(folder, 'pytorch_model.bin'))
  return folder
}

it('a model in pytorch_model.bin has the distances of PyTorch', async () => {
  const notes: string[] = []
  const model = await openModel({ model: makeFolder(), onNote: (note) => notes.push(note) })
  expect(model).toMatchObject({ format: 'pytorch', file: 'pytorch_model.bin' })
  expect(notes).toEqual(['reading pytorch_model.bin in fp32'])
  const { texts, all } = readReference(fixtureFolder('gpt2'))
  const measured = await measureTexts(model, texts, 'gpt2')
  expect(largestDifference([...measured], Object.values(all).flat())).toBeLessThan(1e-5)
})

it('it is pruned to the safetensors that the same model in safetensors is pruned to', async () => {
  const output = makeTempFolder()
  const plan = { strategy: 'explicit', removed: [{ start: 1, end: 2 }] }
  const prune = (model: string, name: string) => pruneModel({ model, output: join(output, name), plan })
  const result = await prune(makeFolder(), 'of-pytorch')
  expect(result.format).toBe('safetensors')
  await prune(fixtureFolder('gpt2'), 'of-safetensors')
  const folders = ['of-pytorch', 'of-safetensors'].map((name) => join(output, name))
  const [ofPytorch, ofSafetensors] = folders.map((folder) => readTensors(join(folder, 'model.safetensors')))
  expect(new Map([...ofPytorch!].sort())).toEqual(new Map([...ofSafetensors!].sort()))
  expect(readdirSync(folders[0]!)).toEqual(readdirSync(folders[1]!))
})

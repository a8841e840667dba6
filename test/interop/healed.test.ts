import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { healModel } from '../../src/jobs/heal/heal-model.js'
import { formatSliceConfig } from '../../src/results/mergekit.js'
import { fixtureFolder, ONE_THREAD } from '../support/fixture-model.js'
import { TEXTS } from '../support/paths.js'
import { makeTempFolder } from '../support/temp-folder.js'
import { describeWithPython, python } from './needs.js'

const FAMILIES = ['llama', 'qwen2', 'gemma2', 'phi3', 'gpt2']

describeWithPython('PEFT and transformers', () => {
  it('load healed models and adapters, which compute the same', { timeout: 600_000 }, async () => {
    const folder = makeTempFolder()
    const dataset = join(folder, 'texts.jsonl')
    const texts = Array.from({ length: 20 }, (_, index) => `so many words in one line, and number ${index}`)
    await writeFile(dataset, texts.map((text) => `${JSON.stringify({ text })}\n`).join(''))
    const paths: string[] = []
    for (const name of FAMILIES) {
      const options = {
        ...ONE_THREAD,
        model: fixtureFolder(name),
        dataset,
        steps: 5,
        warmupSteps: 0,
        learningRate: 0.01,
        evaluateSize: 2,
        maxLength: 16,
        rank: 4,
      }
      const [healed, adapter] = [join(folder, name), join(folder, `${name}-adapter`)]
      await healModel({ ...options, output: healed })
      await healModel({ ...options, output: adapter, adapter: true })
      paths.push(options.model, healed, adapter)
    }
    const script = join(import.meta.dirname, 'check_healed.py')
    const { stdout } = await promisify(execFile)(python, [script, ...paths], { maxBuffer: 2 ** 26 })
    const checked: { dtype: string; fromAdapter: number; fromMerged: number; fromModel: number }[] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(checked).toHaveLength(FAMILIES.length)
    for (const { dtype, fromAdapter, fromMerged, fromModel } of checked) {
      expect(fromModel).toBeGreaterThan(0.01)
      expect(fromMerged).toBeLessThan(1e-4)
      // weights that were rounded when the adapter was merged give other logits
      if (dtype === 'float32') expect(fromAdapter).toBeLessThan(1e-4)
    }
    expect(checked.filter(({ dtype }) => dtype === 'float32').length).toBeGreaterThan(1)
  })
})

describeWithPython('mergekit', () => {
  it('loads a healed model', { timeout: 300_000 }, async () => {
    const folder = makeTempFolder()
    const [model, slice] = [join(folder, 'healed'), join(folder, 'slice.yaml')]
    await healModel({
      ...ONE_THREAD,
      model: fixtureFolder('llama'),
      dataset: TEXTS,
      output: model,
      steps: 2,
      evaluateSize: 2,
      maxLength: 16,
    })
    const removed = [{ start: 2, end: 3 }]
    await writeFile(slice, formatSliceConfig({ model, layers: 3, removed, dtype: 'float32' }))
    const script = join(import.meta.dirname, 'check_mergekit.py')
    const { stdout } = await promisify(execFile)(python, [script, model, slice])
    expect(JSON.parse(stdout)).toEqual({ kept: [0, 1], tensors: expect.any(Number) })
  })
})

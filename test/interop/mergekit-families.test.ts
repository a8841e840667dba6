import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { findMergekitProblem } from '../../src/jobs/prune/mergekit-support.js'
import { pruneModel } from '../../src/jobs/prune/prune.js'
import { keepLayers } from '../../src/jobs/write-model/layer-numbers.js'
import { formatSliceConfig } from '../../src/results/mergekit.js'
import { fixtureFolder, readConfig } from '../support/fixture-model.js'
import { makeTempFolder } from '../support/temp-folder.js'
import { describeWithPython, python } from './needs.js'

const script = join(import.meta.dirname, 'check_mergekit_families.py')
const removed = [{ start: 1, end: 2 }]

/** One of each family for which mergekit has an architecture file, and of which it makes the cut that `prune` makes. */
const RIGHT = [
  'cohere',
  'exaone',
  'gemma',
  'glm4',
  'glm4-moe',
  'gpt-bigcode',
  'gpt-neox',
  'gpt2',
  'granite',
  'llama',
  'llama-yarn',
]
RIGHT.push('mistral', 'mixtral', 'olmo2', 'phi', 'phi3', 'qwen3-moe', 'stablelm', 'starcoder2')

/** What is known of them by their config: no architecture file, tensors that it lacks, keys of layers. */
const WRONG = [
  'apertus',
  'bamba',
  'gemma-untied',
  'gemma2',
  'helium',
  'llama-bias',
  'olmo',
  'olmo2-bias',
  'phi-norm',
  'qwen3',
]

interface Outcome {
  name: string
  difference?: number
  error?: string
}

async function mergeAll(names: string[]): Promise<Outcome[]> {
  const folder = makeTempFolder()
  const cases: { name: string; slices: string; pruned: string }[] = []
  for (const name of names) {
    const model = fixtureFolder(name)
    const [slices, pruned] = [join(folder, `${name}.yaml`), join(folder, name)]
    await pruneModel({
      model,
      output: pruned,
      format: 'safetensors',
      plan: { strategy: 'explicit', removed },
    })
    writeFileSync(slices, formatSliceConfig({ model, layers: countLayers(name), removed, dtype: null }))
    cases.push({ name, slices, pruned })
  }
  const file = join(folder, 'cases.json')
  writeFileSync(file, JSON.stringify(cases))
  const { stdout } = await promisify(execFile)(python, [script, file], { maxBuffer: 1e8 })
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}

function countLayers(name: string): number {
  const config = readConfig(name)
  return Number(config.num_hidden_layers ?? config.n_layer ?? config.num_layers)
}

function findProblem(name: string): string | undefined {
  const config = readConfig(name)
  return findMergekitProblem(String(config.model_type), keepLayers(countLayers(name), removed), config)
}

describeWithPython('what is said of mergekit', () => {
  it('is nothing if it makes the cut that prune makes', async () => {
    expect(RIGHT.filter((name) => findProblem(name) !== undefined)).toEqual([])
    const outcomes = await mergeAll(RIGHT)
    expect(outcomes.map(({ name }) => name)).toEqual(RIGHT)
    expect(outcomes.filter(({ difference }) => !(difference! < 1e-6))).toEqual([])
  }, 300_000)

  it('is a problem if it refuses or writes another model', async () => {
    expect(WRONG.filter((name) => findProblem(name) === undefined)).toEqual([])
    const outcomes = await mergeAll(WRONG)
    expect(outcomes.map(({ name }) => name)).toEqual(WRONG)
    expect(outcomes.filter(({ difference, error }) => error === undefined && difference! < 1e-3)).toEqual([])
  }, 300_000)
})

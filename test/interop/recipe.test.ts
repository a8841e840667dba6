import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, it } from 'vitest'
import { makeRecipe } from '../../src/recipe/recipe.js'
import { writeFilesAtomically } from '../../src/write-files.js'
import { fixtureFolder, listFixtures, readConfig } from '../support/fixture-model.js'
import { TEXTS } from '../support/paths.js'
import { makeTempFolder } from '../support/temp-folder.js'
import { describeWithPython, python } from './needs.js'

/** Families whose recipes were run in PEFT so far. */
const TRIED = `
  arcee bloom cohere cohere2 ernie4_5 exaone4 falcon gemma
  gemma2 gemma3_text glm glm4 gpt2 gpt_bigcode gpt_neo gpt_neox
  gptj granite granitemoe helium hunyuan_v1_dense llama ministral mistral
  mixtral nemotron olmo olmo2 olmo3 olmoe opt phi
  phi3 qwen2 qwen2_moe qwen3 qwen3_moe seed_oss smollm3 stablelm
  starcoder2
`.split(/\s+/)

/** PEFT 0.21 does not reach the dense layers between those with experts, whatever its settings. */
const NOT_REACHED = ['qwen3-moe-mixed', 'qwen3-moe-64']

describeWithPython('axolotl, PEFT and transformers', () => {
  let folder: string
  beforeAll(async () => {
    folder = makeTempFolder()
  })

  it('know every option of the recipes, and the adapter changes the MLPs', { timeout: 600_000 }, async () => {
    const text = Array.from({ length: 40 }, () => 'so many words in one line').join(' ')
    const many = join(folder, 'many.jsonl')
    await writeFile(many, Array.from({ length: 20 }, () => JSON.stringify({ text })).join('\n'))
    const names = new Set(['llama'])
    for (const name of listFixtures()) {
      const isTried = TRIED.includes(String(readConfig(name).model_type))
      if (isTried && !NOT_REACHED.includes(name)) names.add(name)
    }
    const pairs = await Promise.all(
      [...names].map(async (name, index) => {
        const model = fixtureFolder(name)
        const dataset = index === 0 ? [many] : index % 2 === 0 ? [TEXTS] : ['org/texts']
        const { files } = await makeRecipe({ model, dataset, maxLength: 16 })
        await writeFilesAtomically(join(folder, name), files)
        return [join(folder, name), model]
      }),
    )
    const script = join(import.meta.dirname, 'check_recipe.py')
    const { stdout } = await promisify(execFile)(python, [script, '--run', ...pairs.flat()], {
      maxBuffer: 2 ** 26,
    })
    const checked = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(checked).toHaveLength(names.size)
    expect(checked[0].loss).toBeGreaterThan(0)
    expect(checked.every(({ changed }) => changed > 0)).toBe(true)
  })
})

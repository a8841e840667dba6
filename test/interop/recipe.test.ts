import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, it } from 'vitest'
import { writeFilesAtomically } from '../../src/base/write-files.js'
import { makeRecipe } from '../../src/jobs/recipe/recipe.js'
import { fixtureFolder, listFixtures, readConfig } from '../support/fixture-model.js'
import { TEXTS } from '../support/paths.js'
import { makeTempFolder } from '../support/temp-folder.js'
import { describeWithPython, python } from './needs.js'

/** Families without MLPs, and those that transformers does not know. */
const NOT_TRIED = ['falcon_mamba', 'internlm2', 'mamba', 'mamba2', 'minicpm', 'zamba2']

/** One fixture of each family that is no part of another model, the first Llama first. */
function chooseFixtures(): string[] {
  const chosen = new Map([['llama', 'llama']])
  for (const name of listFixtures()) {
    const { model_type: type, text_config: text } = readConfig(name)
    const family = String(type)
    if (text === undefined && !NOT_TRIED.includes(family) && !chosen.has(family)) chosen.set(family, name)
  }
  return [...chosen.values(), 'qwen3-moe-mixed'].filter((name) => !/^(qwen2-5|qwen2)-vl$/.test(name))
}

describeWithPython('axolotl, PEFT and transformers', () => {
  let folder: string
  beforeAll(async () => {
    folder = makeTempFolder()
  })

  it('know every option of the recipes, and the adapter changes the MLPs', { timeout: 600_000 }, async () => {
    const text = Array.from({ length: 40 }, () => 'so many words in one line').join(' ')
    const many = join(folder, 'many.jsonl')
    await writeFile(many, Array.from({ length: 20 }, () => JSON.stringify({ text })).join('\n'))
    const names = chooseFixtures()
    const recipes = await Promise.all(
      names.map(async (name, index) => {
        const model = fixtureFolder(name)
        const dataset = index === 0 ? [many] : index % 2 === 0 ? [TEXTS] : ['org/texts']
        const { files, unreached } = await makeRecipe({ model, dataset, maxLength: 16 })
        await writeFilesAtomically(join(folder, name), files)
        return { paths: [join(folder, name), model], reachesAll: unreached === undefined }
      }),
    )
    const pairs = recipes.map(({ paths }) => paths)
    const script = join(import.meta.dirname, 'check_recipe.py')
    const { stdout } = await promisify(execFile)(python, [script, '--run', ...pairs.flat()], {
      maxBuffer: 2 ** 26,
    })
    const checked = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(checked).toHaveLength(names.length)
    expect(names.length).toBeGreaterThan(110)
    expect(checked[0].loss).toBeGreaterThan(0)
    expect(checked.every(({ changed }) => changed > 0)).toBe(true)
    expect(checked.map(({ model, missing }) => [model, missing.length === 0])).toEqual(
      names.map((name, index) => [name, recipes[index]!.reachesAll]),
    )
  })
})

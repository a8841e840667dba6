import { join } from 'node:path'
import { expect, it } from 'vitest'
import { makeRecipe } from '../../../src/jobs/recipe/recipe.js'
import { fixtureFolder } from '../../support/fixture-model.js'
import { FIXTURES, TEXTS } from '../../support/paths.js'

it('a model with other parts than its decoder gets no recipe', async () => {
  const made = makeRecipe({ model: fixtureFolder('llava'), dataset: [TEXTS] })
  await expect(made).rejects.toThrow('no recipe can be written for llava')
})

it('a GGUF file gets no recipe', async () => {
  const model = join(FIXTURES, 'gguf/llama.gguf')
  await expect(makeRecipe({ model, dataset: [TEXTS] })).rejects.toThrow('axolotl and PEFT read no GGUF files')
})

import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { formatYaml } from '../../src/base/yaml.js'
import { formatPeftScript } from '../../src/jobs/recipe/peft-script.js'
import { formatSliceConfig } from '../../src/results/mergekit.js'
import { axolotlConfigOf, TRICKY_STRINGS, trainingOf } from '../support/tricky-strings.js'
import { describeWithPython, python } from './needs.js'

/** What a Python expression makes of each of some texts. */
const inPython = (expression: string, texts: string[]): unknown[] =>
  JSON.parse(
    execFileSync(
      python,
      ['-c', `import ast, json, sys, yaml\nprint(json.dumps([${expression} for text in json.load(sys.stdin)]))`],
      { input: JSON.stringify(texts), encoding: 'utf8' },
    ),
  )

describeWithPython('PyYAML and Python', () => {
  const texts = TRICKY_STRINGS.filter((text) => text !== '')

  it('read each string that is written into YAML as it was', () => {
    const values = texts.map((text) => ({ [text]: text, list: [text, { inOne: [text] }] }))
    const written = values.map((value, index) => formatYaml(value, { comment: [texts[index]!], onOneLine: ['inOne'] }))
    expect(inPython('yaml.safe_load(text)', written)).toEqual(values)
  })

  it('read slices and recipes with any names', () => {
    const removed = [{ start: 1, end: 2 }]
    const slices = texts.map((model) => formatSliceConfig({ model, layers: 4, removed, dtype: null }))
    const models = inPython("yaml.safe_load(text)['slices'][0]['sources'][0]['model']", slices)
    expect(models.map((model) => (model as { model?: { path: string } }).model?.path ?? model)).toEqual(texts)
    const recipes = inPython('yaml.safe_load(text)', texts.map(axolotlConfigOf)) as { base_model: string }[]
    expect(recipes.map(({ base_model }) => base_model)).toEqual(texts)
    expect(new Set(recipes.map((recipe) => Object.keys(recipe).join())).size).toBe(1)
  })

  it('read the script with any names, and no name adds a statement to it', () => {
    const scripts = texts.map((text) => formatPeftScript(trainingOf(text)))
    const names = `[node.value.value for node in ast.parse(text).body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == 'COLUMN'][0]`
    expect(inPython(names, scripts)).toEqual(texts)
    const counts = inPython('len(list(ast.walk(ast.parse(text))))', scripts)
    expect(new Set(counts).size).toBe(1)
  })
})

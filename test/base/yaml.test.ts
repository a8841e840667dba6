import { describe, expect, it } from 'vitest'
import { parse, parseDocument } from 'yaml'
import { formatYaml, yamlNode } from '../../src/base/yaml.js'
import { formatSliceConfig } from '../../src/results/mergekit.js'
import { axolotlConfigOf, TRICKY_STRINGS } from '../support/tricky-strings.js'

const VERSIONS = ['1.1', '1.2'] as const

describe.each(VERSIONS)('YAML, read as version %s,', (version) => {
  const read = (text: string) => parse(text, { version })

  it.each(TRICKY_STRINGS)('keeps %j', (text) => {
    const value = { [text]: text, list: [text, [text]], inOne: { key: text, list: [text] }, number: 3e-6 }
    expect(read(formatYaml(value, { comment: [text], onOneLine: ['inOne'] }))).toEqual(value)
  })

  it('keeps what stands in slices and recipes', () => {
    for (const text of TRICKY_STRINGS.filter((text) => text !== '')) {
      const slices = read(formatSliceConfig({ model: text, layers: 4, removed: [{ start: 1, end: 2 }], dtype: null }))
      const [{ sources }] = slices.slices
      expect(sources[0].model.model?.path ?? sources[0].model).toBe(text)
      expect(Object.keys(slices)).toEqual(['slices', 'merge_method'])
      const recipe = read(axolotlConfigOf(text))
      expect(recipe).toMatchObject({ base_model: text, output_dir: text, lora_target_modules: [text] })
      expect(recipe.pretraining_dataset).toEqual([
        { path: text, name: text, split: text, text_column: text, type: 'pretrain' },
      ])
    }
  })

  it('keeps a string that is set into a document', () => {
    for (const text of TRICKY_STRINGS) {
      const document = parseDocument('license: mit # kept\n')
      document.set('base_model', yamlNode(text))
      expect(read(String(document))).toEqual({ license: 'mit', base_model: text })
    }
  })
})

it('writes plain words plainly', () => {
  expect(formatYaml({ model: './a/b-c_1.0', name: 'two words', at: 'org/name@v1+x' })).toBe(
    'model: ./a/b-c_1.0\nname: two words\nat: org/name@v1+x\n',
  )
})

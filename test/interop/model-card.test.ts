import { execFileSync } from 'node:child_process'
import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { healModel } from '../../src/jobs/heal/heal-model.js'
import { pruneModel } from '../../src/jobs/prune/prune.js'
import { makePlan } from '../../src/results/documents/plan.js'
import { FIXTURES, TEXTS } from '../support/paths.js'
import { makeTempFolder } from '../support/temp-folder.js'
import { describeWithPython, python } from './needs.js'

const CARD = `---
license: apache-2.0
language:
- en
- no
base_model: org/older
datasets: org/old-texts
new_version: org/newer
model-index:
- name: whole
  results:
  - task: {type: text-generation}
    dataset: {name: other, type: other}
    metrics: [{type: accuracy, value: 0.5}]
---
# A model
`

/** What huggingface_hub reads in a card; it refuses one that the Hub would not take. */
function readCard(folder: string): Record<string, unknown> {
  const script = [
    'import json, sys',
    'from huggingface_hub import ModelCard',
    'data = ModelCard.load(sys.argv[1], ignore_metadata_errors=False).data',
    'print(json.dumps(data.to_dict()))',
  ].join('\n')
  return JSON.parse(execFileSync(python, ['-c', script, join(folder, 'README.md')], { encoding: 'utf8' }))
}

describeWithPython('huggingface_hub', () => {
  const folder = makeTempFolder()
  const model = join(folder, 'whole')
  cpSync(join(FIXTURES, 'families/llama'), model, { recursive: true })
  writeFileSync(join(model, 'README.md'), CARD)
  const plan = makePlan({
    model: { id: model, layers: 3 },
    strategy: 'explicit',
    removed: [{ start: 1, end: 2 }],
  })
  const shared = { license: 'apache-2.0', pipeline_tag: 'text-generation', tags: ['layerprune'] }

  it("reads a pruned model's card, with the figures of the pruned model alone", async () => {
    const output = join(folder, 'pruned')
    const results = [{ dataset: 'org/texts', texts: 16, perplexity: 12.5 }]
    await pruneModel({ model, plan, output, card: { datasets: ['org/texts'], results } })
    const data = readCard(output)
    expect(data).toMatchObject({
      ...shared,
      base_model: 'org/older',
      base_model_relation: 'finetune',
      library_name: 'transformers',
      datasets: ['org/old-texts', 'org/texts'],
    })
    expect(data).not.toHaveProperty('new_version')
    expect(data['model-index']).toEqual([
      {
        name: 'pruned',
        results: [
          {
            task: { type: 'text-generation', name: 'Text generation' },
            dataset: { name: 'org/texts', type: 'org/texts' },
            metrics: [{ type: 'perplexity', value: 12.5, name: 'Perplexity on 16 texts' }],
          },
        ],
      },
    ])
  })

  it.each([
    ['model', { base_model: 'org/older', base_model_relation: 'finetune', library_name: 'transformers' }],
    ['adapter', { library_name: 'peft' }],
  ])("reads a healed %s's card", async (what, expected) => {
    const output = join(folder, what)
    const adapter = what === 'adapter'
    await healModel({ model, output, adapter, dataset: TEXTS, evaluateSize: 2, steps: 1, maxLength: 16 })
    const data = readCard(output)
    expect(data).toMatchObject({ ...shared, ...expected })
    expect('base_model' in data).toBe(!adapter)
    expect(data['model-index']).toMatchObject([{ name: what, results: [{ dataset: { type: 'text' } }] }])
  })
})

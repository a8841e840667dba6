import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { findTasks } from '../../../src/jobs/tasks/find-tasks.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const folder = makeTempFolder()
const BASE = {
  task: 'mine',
  dataset_path: 'json',
  dataset_kwargs: { data_files: { test: 'test.jsonl' } },
  output_type: 'multiple_choice',
  test_split: 'test',
  doc_to_text: 'question',
  doc_to_choice: ['no', 'yes'],
  doc_to_target: 'label',
}

function write(config: object | string, name = 'mine.yaml'): string {
  const path = join(folder, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, typeof config === 'string' ? config : stringify(config))
  return path
}

describe('tasks', () => {
  it('are all built in, mmlu with its 57 subjects', async () => {
    const names = 'arc_challenge arc_easy boolq hellaswag lambada_openai openbookqa piqa truthfulqa_mc1 winogrande'
    const { tasks, groups } = await findTasks([...names.split(' '), 'mmlu', 'mmlu_stem', 'mmlu_anatomy'])
    expect(tasks).toHaveLength(9 + 57)
    expect(groups.mmlu).toHaveLength(57)
    expect(groups.mmlu_stem).toHaveLength(19)
    expect(tasks.filter(({ examples }) => examples === 5)).toHaveLength(57)
  })

  it('of a file have the harness’s defaults', async () => {
    const { tasks } = await findTasks([write(BASE)])
    expect(tasks[0]).toMatchObject({
      ...{ name: 'mine', split: 'test', exampleSplit: 'test', avoidsDocument: false, examples: null },
      ...{ targetDelimiter: ' ', exampleDelimiter: '\n\n', sampler: 'default', metrics: ['acc', 'acc_norm'] },
      files: { test: ['test.jsonl'] },
    })
  })

  it.each<[what: string, changes: Record<string, unknown>, problem: string]>([
    ['a key', { generation_kwargs: {} }, 'generation_kwargs is not understood'],
    ['filters', { filter_list: [] }, 'filter_list is not understood'],
    [
      'generation',
      { output_type: 'generate_until' },
      'output_type must be multiple_choice or loglikelihood, found "generate_until"',
    ],
    ['no kind', { output_type: undefined }, 'found "generate_until"'],
    ['a metric', { metric_list: [{ metric: 'f1' }] }, 'metric_list may have acc and acc_norm, found "f1"'],
    [
      'an aggregation',
      { metric_list: [{ metric: 'acc', aggregation: 'median' }] },
      'aggregation of acc is not understood',
    ],
    ['a sampler', { fewshot_config: { sampler: 'balanced' } }, 'fewshot_config.sampler must be default or first_n'],
    ['own examples', { fewshot_config: { samples: [] } }, 'fewshot_config.samples is not understood'],
    ['no choices', { doc_to_choice: undefined }, 'doc_to_choice is missing'],
    ['no split', { test_split: undefined }, 'test_split is missing'],
    ['no files', { dataset_kwargs: undefined }, 'dataset_kwargs.data_files is missing'],
    [
      'a loader’s option',
      { dataset_kwargs: { data_files: 'x.json', field: 'data' } },
      'dataset_kwargs.field is not understood',
    ],
    [
      'a filter of Jinja',
      { doc_to_text: '{{question|title}}' },
      'doc_to_text: the template cannot be used: the filter title',
    ],
  ])('of a file are refused for %s', async (_, changes, problem) => {
    await expect(findTasks([write({ ...BASE, ...changes })])).rejects.toThrow(problem)
  })

  it('of a file run no code', async () => {
    const refused = findTasks([write(`${stringify(BASE)}process_docs: !function utils.process_docs\n`)])
    await expect(refused).rejects.toThrow('the tag !function is not understood')
    await expect(refused).rejects.toMatchObject({
      hint: 'no code is run: write the rule as a Jinja template',
    })
  })

  it('of a file include those of other files, which its own keys replace', async () => {
    const { task, doc_to_text, ...shared } = BASE
    write(shared, 'shared/base.yaml')
    write({ task_list: ['other'], doc_to_text, test_split: 'other', include: 'base.yaml' }, 'shared/text.yml')
    write({ num_fewshot: 3, description: 'D' }, 'shared/examples.yaml')
    const own = {
      include: ['shared/text.yml', 'shared/examples.yaml'],
      task,
      num_fewshot: 2,
      description: null,
    }
    const { tasks } = await findTasks([write(own)])
    expect(tasks[0]).toMatchObject({ name: 'mine', split: 'other', examples: 2, text: { template: 'question' } })
    expect(tasks[0]!.description).toBeUndefined()
  })

  it('of files that include themselves, or none, are refused', async () => {
    write({ include: '../mine.yaml' }, 'shared/back.yaml')
    await expect(findTasks([write({ ...BASE, include: 'shared/back.yaml' })])).rejects.toThrow(
      'mine.yaml: the file includes itself',
    )
    await expect(findTasks([write({ ...BASE, include: 'gone.yaml' })])).rejects.toThrow(
      /the task file .*gone\.yaml, which .*mine\.yaml includes, cannot be read: no such file/,
    )
    await expect(findTasks([write({ ...BASE, include: 3 })])).rejects.toThrow('include must name files, found 3')
  })

  it('are refused by name', async () => {
    await expect(findTasks(['gsm8k'])).rejects.toThrow('there is no task gsm8k; these are built in: arc_challenge')
    await expect(findTasks(['gone.yaml'])).rejects.toThrow('the task file gone.yaml cannot be read: no such file')
    await expect(findTasks(['piqa', write({ ...BASE, task: 'piqa' })])).rejects.toThrow(
      'a task named piqa was given before',
    )
  })
})

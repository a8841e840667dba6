import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { measureTasks, pruneModel, type TaskSample } from '../../../src/index.js'
import { readDefinition } from '../../../src/jobs/tasks/definition.js'
import { makeDocuments } from '../../../src/jobs/tasks/documents.js'
import { findTasks } from '../../../src/jobs/tasks/find-tasks.js'
import { loadTask } from '../../../src/jobs/tasks/load-task.js'
import { fixtureFolder, ONE_THREAD } from '../../support/fixture-model.js'
import { FIXTURES } from '../../support/paths.js'
import { writeTaskData } from '../../support/task-data.js'
import { makeTempFolder } from '../../support/temp-folder.js'

/** A line of what test/interop/check_tasks.py printed of the fixture and 12 documents: first of a task, then of each document. */
interface ReferenceLine {
  task: string
  figures?: Record<string, number>
  document: number
  prompt: [context: string, continuation: string][] | null
  logLikelihoods: number[]
  metrics: Record<string, number>
}

const COUNT = 12
const model = fixtureFolder('llama')
const folder = makeTempFolder()
const reference: ReferenceLine[] = readFileSync(join(FIXTURES, 'task-reference.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line))
/** Examples before each document, as they were asked of the harness. */
const TASKS: Record<string, number | undefined> = {
  ...{ arc_easy: undefined, hellaswag: 1, piqa: 5, winogrande: 3, mmlu: 5, boolq: undefined },
  ...{ openbookqa: 2, lambada_openai: 1, truthfulqa_mc1: undefined, arc_challenge: 3 },
}
const nameOf = (task: string) => (task === 'mmlu' ? 'mmlu_anatomy' : task)

describe.each(Object.keys(TASKS))('%s', (task) => {
  const name = nameOf(task)
  const lines = reference.filter((line) => line.task === task)
  const options = {
    taskData: { [name]: writeTaskData(folder, task, COUNT) },
    limit: COUNT,
    ...(TASKS[task] === undefined ? {} : { numFewshot: TASKS[task] }),
  }

  it('asks what lm-evaluation-harness asks, with its examples', async () => {
    const { tasks } = await findTasks([name])
    const { documents } = await loadTask(tasks[0]!, options)
    const asked = documents[1]!.requests.map(({ context, continuation }) => [context, continuation])
    expect(asked).toEqual(lines.find(({ document }) => document === 1)!.prompt)
  })

  it('finds what it finds, with its errors', async () => {
    const samples: TaskSample[] = []
    const onDocument = (sample: TaskSample) => samples.push(sample)
    const result = await measureTasks({ model, ...ONE_THREAD, tasks: [name], ...options, onDocument })
    for (const { document, logLikelihoods, metrics } of lines.slice(1)) {
      const own = samples[document]!
      expect(own.logLikelihoods[0]).toEqual(logLikelihoods.map((value) => expect.closeTo(value, 3)))
      const close = Object.entries(metrics).map(([metric, value]) => [metric, expect.closeTo(value, 3)])
      expect(own.metrics[0]).toEqual(Object.fromEntries(close))
    }
    const figures = lines[0]!.figures!
    const { acc, acc_norm, standardError, documents } = result.tasks[name]!
    expect({ acc, error: standardError.acc, documents }).toEqual({
      acc: expect.closeTo(figures['acc,none']!, 12),
      error: expect.closeTo(figures['acc_stderr,none']!, 12),
      documents: COUNT,
    })
    expect(acc_norm).toBe(figures['acc_norm,none'])
  })
})

it('a candidate scores as the pruned model does, in one run with others', async () => {
  const data = { taskData: { piqa: writeTaskData(folder, 'piqa', COUNT) }, tasks: ['piqa'], limit: 6 }
  const removed = [{ start: 1, end: 2 }]
  const output = join(folder, 'pruned')
  await pruneModel({ model, output, plan: { strategy: 'explicit', removed }, format: 'safetensors' })
  const samples: TaskSample[][] = [[], []]
  const candidates = [[{ start: 2, end: 3 }], removed]
  const cut = await measureTasks({
    ...{ model, ...ONE_THREAD, ...data, candidates },
    onDocument: (sample) => samples[0]!.push(sample),
  })
  const whole = await measureTasks({
    ...{ model: output, ...ONE_THREAD, ...data, batchSize: 2 },
    onDocument: (sample) => samples[1]!.push(sample),
  })
  for (const [document, { logLikelihoods }] of samples[1]!.entries()) {
    const close = logLikelihoods[0]!.map((value) => expect.closeTo(value, 3))
    expect(samples[0]![document]!.logLikelihoods[2]).toEqual(close)
  }
  const { difference, ...figures } = cut.candidates[1]!.tasks.piqa!
  expect(figures).toEqual(whole.tasks.piqa)
  expect(difference.acc!.difference).toBeCloseTo(whole.tasks.piqa!.acc! - cut.tasks.piqa!.acc!, 12)
})

it.each<[what: string, tasks: string[], options: object, problem: string]>([
  ['no such task', ['gsm8k'], {}, 'there is no task gsm8k; these are built in: arc_challenge, '],
  [
    'data of no task',
    ['piqa'],
    { taskData: { arc: 'x' } },
    '`taskData` names arc, which is not one of the tasks: piqa',
  ],
  [
    'data that lack the split',
    ['arc_easy'],
    { taskData: { arc_easy: writeTaskData(folder, 'piqa', COUNT) } },
    'has no file of the split test: found train.jsonl, validation.jsonl',
  ],
  [
    'too few examples',
    ['piqa'],
    { taskData: { piqa: writeTaskData(folder, 'piqa', COUNT) }, numFewshot: 12 },
    'task piqa: its split train has 12 documents for examples, 13 are needed',
  ],
])('refuses %s before the model is opened', async (_, tasks, options, problem) => {
  await expect(measureTasks({ model: 'no-such-folder', tasks, ...options })).rejects.toThrow(problem)
})

it('takes digits of a template as the place of a choice, and a field of digits as the choice', async () => {
  const { tasks } = await findTasks(['piqa'])
  const record = { fields: { goal: 'g', sol1: '1', sol2: '0', label: '1', place: 1 }, origin: 'x.jsonl:1' }
  const goldOf = async (target: string) => {
    const { target: rule } = readDefinition({ ...CONFIG, doc_to_target: target }, 'mine')
    const documents = await makeDocuments({ ...tasks[0]!, target: rule }, [record], { examples: [], count: 0 })
    return documents[0]!.gold
  }
  const golds = await Promise.all(['label', '{{label}}', 'place', '[0, 1]'].map(goldOf))
  expect(golds).toEqual([[0], [1], [1], [0, 1]])
})

const CONFIG = {
  ...{ task: 'mine', dataset_path: 'x', output_type: 'multiple_choice', test_split: 'test' },
  ...{ doc_to_text: 'goal', doc_to_choice: ['1', '0'] },
}

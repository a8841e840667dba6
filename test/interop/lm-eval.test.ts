import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { measureTasks, type TaskSample } from '../../src/index.js'
import { LONG_TESTS } from '../support/long-tests.js'
import { writeTaskData } from '../support/task-data.js'
import { makeTempFolder } from '../support/temp-folder.js'
import { copyWithPositions } from './copy-with-positions.js'
import { describeWithLmEval, lmEvalPython } from './needs.js'

const run = promisify(execFile)

/** SmolLM2 or another model; the small Llama of the fixtures if it is not set. */
const model = process.env.LAYERPRUNE_TASKS_MODEL || copyWithPositions('llama', 4096)
const count = Number(process.env.LAYERPRUNE_TASKS_COUNT) || (LONG_TESTS ? 1000 : 40)
/** Tasks, some with examples before each document. */
const TASKS: [task: string, examples: number | undefined][] = [
  ['arc_easy', undefined],
  ['hellaswag', undefined],
  ['piqa', 5],
  ['winogrande', 3],
  ['mmlu', 5],
  ...(LONG_TESTS
    ? ([
        ['arc_challenge', 25],
        ['boolq', 1],
        ['openbookqa', 2],
        ['lambada_openai', undefined],
        ['truthfulqa_mc1', undefined],
      ] as const satisfies [string, number | undefined][])
    : []),
]

interface HarnessLine {
  figures?: Record<string, number>
  document: number
  logLikelihoods: number[]
  metrics: Record<string, number>
}

/** Floating point adds up in another order there, which can turn a choice that is as good as even. */
const CLOSE_NATS = 2e-3
const LEAST_ALIKE = 0.995

describeWithLmEval('lm-evaluation-harness', () => {
  it.each(TASKS)('%s is scored alike, document by document', { timeout: 7_200_000 }, async (task, examples) => {
    const folder = makeTempFolder()
    const name = task === 'mmlu' ? 'mmlu_anatomy' : task
    const taskData = { [name]: writeTaskData(folder, task, count) }
    const asked = examples === undefined ? task : `${task}:${examples}`
    const script = join(import.meta.dirname, 'check_tasks.py')
    const { stdout } = await run(lmEvalPython, [script, model, folder, `${count}`, asked], {
      maxBuffer: 1e9,
    })
    const [{ figures }, ...documents] = stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line): HarnessLine => JSON.parse(line)) as [HarnessLine, ...HarnessLine[]]
    const samples: TaskSample[] = []
    const result = await measureTasks({
      ...{ model, dtype: 'fp32', tasks: [name], taskData, limit: count },
      ...(examples === undefined ? {} : { numFewshot: examples }),
      onDocument: (sample) => samples.push(sample),
    })
    expect(samples).toHaveLength(count)
    for (const { document, logLikelihoods } of documents) {
      const own = samples[document]!.logLikelihoods[0]!
      const furthest = Math.max(...own.map((value, choice) => Math.abs(value - logLikelihoods[choice]!)))
      expect(furthest, samples[document]!.origin).toBeLessThan(CLOSE_NATS)
    }
    const alike = documents.filter(({ document, metrics }) => {
      const own = samples[document]!.metrics[0]!
      return own.acc === metrics.acc && own.acc_norm === metrics.acc_norm
    })
    expect(alike.length / count).toBeGreaterThanOrEqual(LEAST_ALIKE)
    const { acc, acc_norm, perplexity } = result.tasks[name]!
    const most = 1 - alike.length / count + 1e-12
    expect(Math.abs(acc! - figures!['acc,none']!)).toBeLessThanOrEqual(most)
    if (acc_norm !== undefined) expect(Math.abs(acc_norm - figures!['acc_norm,none']!)).toBeLessThanOrEqual(most)
    if (perplexity !== undefined) expect(perplexity / figures!['perplexity,none']!).toBeCloseTo(1, 3)
  })
})

import { join } from 'node:path'
import { expect, it } from 'vitest'
import {
  evaluateAgainst,
  evaluatePerplexity,
  measureTasks,
  type PlanOptions,
  planLayers,
  sweepCuts,
  verifyBlocks,
} from '../../../src/index.js'
import { ONE_THREAD } from '../../support/fixture-model.js'
import { sample } from '../../support/long-tests.js'
import { EXAMPLES } from '../../support/paths.js'
import { writeTaskData } from '../../support/task-data.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const INPUTS = {
  ...ONE_THREAD,
  ...{ model: join(EXAMPLES, 'model'), dataset: join(EXAMPLES, 'texts.jsonl') },
  ...{ datasetSize: 8, batchSize: 2, maxLength: 24 },
}
const CANDIDATES = [[{ start: 4, end: 8 }], [{ start: 5, end: 7 }]]
const { dataset: _, datasetSize: __, ...MODEL } = INPUTS
const ON_TASK = {
  ...MODEL,
  maxLength: undefined,
  taskData: { piqa: writeTaskData(makeTempFolder(), 'piqa', 12) },
  limit: 12,
}
const DISTANCES = Object.fromEntries([[4, Array.from({ length: 9 }, (_, start) => start)]])

interface Resuming {
  // biome-ignore lint/suspicious/noExplicitAny: the state of each job has a type of its own
  resumeFrom?: any
  onSaved: (state: unknown) => void
  signal?: AbortSignal
}

const plan = (options: Omit<PlanOptions, 'model' | 'layersToSkip'>) => (resuming: Resuming) =>
  planLayers({ ...MODEL, layersToSkip: 2, ...options, ...resuming })
const planOnTexts = (options: Pick<PlanOptions, 'strategy' | 'objective'>) => plan({ ...INPUTS, ...options })

const JOBS: Record<string, (resuming: Resuming) => Promise<unknown>> = {
  evaluate: (resuming) => evaluatePerplexity({ ...INPUTS, candidates: CANDIDATES, ...resuming }),
  'evaluate within a memory limit': (resuming) =>
    evaluatePerplexity({ ...INPUTS, candidates: CANDIDATES, maxMemory: 2e9, ...resuming }),
  'evaluate against': (resuming) => evaluateAgainst({ ...INPUTS, against: INPUTS.model, ...resuming }),
  verify: (resuming) =>
    verifyBlocks({
      ...{ ...MODEL, dataset: INPUTS.dataset, distances: DISTANCES, layersToSkip: 4 },
      ...{ verify: 3, verifySize: 8, datasetSkip: 4, ...resuming },
    }),
  'plan repaired': planOnTexts({ strategy: 'repaired' }),
  'plan by greedy-perplexity': planOnTexts({ strategy: 'greedy-perplexity' }),
  'plan by kl': planOnTexts({ strategy: 'greedy-perplexity', objective: 'kl' }),
  'plan by task': plan({ ...ON_TASK, strategy: 'task', task: 'piqa' }),
  tasks: (resuming) => measureTasks({ ...ON_TASK, tasks: ['piqa'], candidates: CANDIDATES, ...resuming }),
  'plan verified': planOnTexts({ strategy: 'verified' }),
  'a sweep that searches': (resuming) =>
    sweepCuts({ ...INPUTS, strategies: ['greedy-perplexity'], sizes: [2], verifySize: 4, ...resuming }),
}

it.each(sample(Object.keys(JOBS), 4))(
  '%s ends as if it had not been stopped, and measures nothing twice',
  async (name) => {
    const job = JOBS[name]!
    let saves = 0
    const whole = await job({ onSaved: () => void saves++ })
    expect(saves).toBeGreaterThan(2)
    const stop = new AbortController()
    let state = ''
    let before = 0
    const stopped = job({
      signal: stop.signal,
      onSaved: (saved) => {
        state = JSON.stringify(saved)
        if (!stop.signal.aborted) before++
        if (before === saves >> 1) stop.abort()
      },
    })
    await expect(stopped).rejects.toThrow('interrupted')
    let after = 0
    const resumed = await job({ resumeFrom: JSON.parse(state), onSaved: () => void after++ })
    expect(withoutSpeed(resumed)).toBe(withoutSpeed(whole))
    // a batch that was stopped may be noted once more
    expect(before + after).toBeLessThanOrEqual(saves + 1)
  },
)

it('is refused with other options or another model, by name', async () => {
  let state: unknown
  const options = { ...INPUTS, candidates: CANDIDATES }
  await evaluatePerplexity({
    ...options,
    onSaved: (saved) => {
      state = saved
    },
  })
  const resume = (changes: object) =>
    expect(evaluatePerplexity({ ...options, ...changes, resumeFrom: state as never })).rejects
  await resume({ maxLength: 23 }).toThrow('the run cannot be resumed: `maxLength` was 24 and is 23')
  await resume({ datasetSkip: 1 }).toThrow('the run cannot be resumed: `datasetSkip` was not given and is 1')
  const against = evaluateAgainst({ ...INPUTS, against: INPUTS.model, resumeFrom: state as never })
  await expect(against).rejects.toThrow('the run cannot be resumed: `candidates` was')
})

/** As JSON, without how fast the machine was. */
function withoutSpeed(result: unknown): string {
  return JSON.stringify(result, (key, value) => (key === 'tokensPerSecond' ? undefined : value))
}

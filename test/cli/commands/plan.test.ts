import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { evaluatePerplexity, measureSimilarity, measureTasks, planLayers, STRATEGIES } from '../../../src/index.js'
import { FIXTURES, TEXTS } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'
import { writeTaskData } from '../../support/task-data.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const MODEL = join(FIXTURES, 'families/qwen3-moe-mixed')
const ON_TEXTS = ['--dataset', TEXTS, '--dataset-size', '4']
const BASICS = ['plan', '--model', MODEL, '--layers-to-skip', '2']

const chooseTask = (folder: string) => ['--task', 'piqa', '--task-data', `piqa=${writeTaskData(folder, 'piqa', 9)}`]

describe('plan', () => {
  it.each(STRATEGIES)('%s gives a plan that the other commands take', async (strategy) => {
    const cwd = makeTempFolder()
    const { exitCode, stdout, stderr } = await runProgram(
      [...BASICS, '--strategy', strategy, ...(strategy === 'task' ? chooseTask(cwd) : ON_TEXTS), '-o', 'plan.json'],
      { cwd },
    )
    expect(stderr).not.toContain('error')
    expect(exitCode).toBe(0)
    const plan = JSON.parse(readFileSync(join(cwd, 'plan.json'), 'utf8'))
    expect(plan).toMatchObject({
      schema: 'layerprune.plan/1',
      model: { id: MODEL, layers: 4, family: 'qwen3_moe' },
      strategy,
      layersToSkip: 2,
    })
    expect(stdout).toMatch(new RegExp(`(^|\n)Remove layers .* \\(0-based, 2 of 4\\), by ${strategy}\\.\n\n`))
    const isChecked = ['greedy-perplexity', 'verified', 'repaired', 'task'].includes(strategy)
    expect(stdout.includes('\nTo check it by perplexity:\n  layerprune evaluate ')).toBe(!isChecked)
    expect(stdout).toMatch(/\nTo make the cut:\n {2}layerprune prune --model \S+ --from plan\.json .*\n$/)
    const slices = await runProgram(['slice-config', '--plan', 'plan.json'], { cwd })
    const kept = parse(slices.stdout).slices.flatMap(({ sources }: { sources: { layer_range: number[] }[] }) => {
      const [start, end] = sources[0]!.layer_range as [number, number]
      return Array.from({ length: end - start }, (_, index) => start + index)
    })
    const goes = (layer: number) =>
      plan.removed.some(({ start, end }: { start: number; end: number }) => start <= layer && layer < end)
    expect(kept).toEqual([0, 1, 2, 3].filter((layer) => !goes(layer)))
  })

  it('angular takes the best block of similarity', async () => {
    const plan = await planLayers({
      model: MODEL,
      dataset: TEXTS,
      datasetSize: 4,
      layersToSkip: 2,
      strategy: 'angular',
    })
    const { best } = await measureSimilarity({
      model: MODEL,
      dataset: TEXTS,
      datasetSize: 4,
      layersToSkip: 2,
    })
    expect(plan.removed).toEqual([{ start: best.start, end: best.end }])
    expect(plan.scores).toMatchObject({ distance: best.distance })
    expect(plan.dataset).toMatchObject({ id: TEXTS, texts: 4 })
  })

  it('greedy-perplexity chooses by what evaluate measures', async () => {
    const options = { model: MODEL, dataset: TEXTS, maxLength: 32 }
    const plan = await planLayers({ ...options, layersToSkip: 2, strategy: 'greedy-perplexity' })
    const { steps } = plan.scores as { steps: { layer: number; perplexity: number }[] }
    const layers = [0, 1, 2, 3]
    const one = await evaluatePerplexity({
      ...options,
      candidates: layers.map((start) => [{ start, end: start + 1 }]),
    })
    const perplexities = one.candidates.map(({ perplexity }) => perplexity!)
    expect(steps[0]!.layer).toBe(perplexities.indexOf(Math.min(...perplexities)))
    expect(steps[0]!.perplexity).toBeCloseTo(Math.min(...perplexities), 3)
    const two = await evaluatePerplexity({ ...options, candidates: [plan.removed] })
    expect(two.candidates[0]!.perplexity).toBeCloseTo(steps[1]!.perplexity, 3)
  })

  it.each([
    ['no texts', ['--model', MODEL, '--layers-to-skip', '2'], 2, /the strategy angular needs texts: give --dataset/],
    [
      'more layers than there are',
      ['--model', MODEL, ...ON_TEXTS, '--layers-to-skip', '4'],
      2,
      /must be 1 to 3 for a model of 4/,
    ],
    ['an unknown strategy', [...BASICS.slice(1), ...ON_TEXTS, '--strategy', 'best'], 2, /--strategy.*angular, deepest/],
    ['no number of layers', ['--model', MODEL, ...ON_TEXTS], 2, /--layers-to-skip/],
  ])('refuses %s', async (_, flags, code, message) => {
    const { exitCode, stdout, stderr } = await runProgram(['plan', ...flags])
    expect(stderr).toMatch(message)
    expect(exitCode).toBe(code)
    expect(stdout).toBe('')
  })
})

describe('similarity --verify', () => {
  const args = ['similarity', '--model', MODEL, '--dataset', TEXTS, '--layers-to-skip', '2', '--verify', '3']

  it('ranks blocks by perplexity on other texts and writes what it recommends', async () => {
    const cwd = makeTempFolder()
    const { exitCode, stdout } = await runProgram([...args, '--dataset-size', '4', '--verify-size', '3'], {
      cwd,
    })
    expect(exitCode).toBe(0)
    expect(stdout).toContain('Perplexity over the 3 texts after the first 4, which the distances do not use:')
    const read = (file: string) => readFileSync(join(cwd, 'layerprune-output', file), 'utf8')
    const { verification, best, distances } = JSON.parse(read('similarity.json'))
    expect(verification.dataset).toMatchObject({ skippedTexts: 4, texts: 3 })
    expect(verification.blocks.map(({ distance }: { distance: number }) => distance)).toEqual(
      distances[2].toSorted((a: number, b: number) => a - b),
    )
    expect(verification.blocks[0]).toMatchObject({ start: best.start, distanceRank: 1 })
    const expected = await evaluatePerplexity({
      model: MODEL,
      dataset: TEXTS,
      datasetSkip: 4,
      datasetSize: 3,
      candidates: verification.blocks.map(({ start, end }: { start: number; end: number }) => [{ start, end }]),
    })
    const perplexities = expected.candidates.map(({ perplexity }) => perplexity)
    expect(verification.blocks.map(({ perplexity }: { perplexity: number }) => perplexity)).toEqual(perplexities)
    const { start, end, perplexity, perplexityRank } = verification.recommended
    expect([perplexity, perplexityRank]).toEqual([Math.min(...perplexities.map(Number)), 1])
    expect(JSON.parse(read('plan.json'))).toMatchObject({ strategy: 'verified', removed: [{ start, end }] })
    expect(read('slice.yaml')).toContain(`removes layers ${start}..${end - 1} `)
  })

  it('measures the first 128 texts unless --dataset-size is given, and reports that no texts remain for the check', async () => {
    const { exitCode, stdout, stderr } = await runProgram(args, { cwd: makeTempFolder() })
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
    expect(stderr).toContain('measuring distances on the first 128 texts, and perplexity on the 32 after them')
    expect(stderr).toMatch(
      /error: \S+ holds 7 texts, and the distances are measured on all: no text is left to check the blocks\nhint: --dataset-size 5\n/,
    )
  })
})

it('plan --strategy task removes the layers without which right answers are likeliest, among documents for examples', async () => {
  const taskData = { piqa: writeTaskData(makeTempFolder(), 'piqa', 9) }
  const options = { model: MODEL, task: 'piqa', taskData, limit: 8, strategy: 'task' } as const
  const plan = await planLayers({ ...options, layersToSkip: 2 })
  const { steps } = plan.scores as { steps: { layer: number; perplexity: number }[] }
  expect(plan.dataset).toEqual({ id: 'baber/piqa', split: 'train', documents: 8, fewshot: 0 })
  const losses = await Promise.all([0, 1, 2, 3].map((layer) => lossWithout(layer, join(taskData.piqa, 'train.jsonl'))))
  expect(steps[0]!.layer).toBe(losses.indexOf(Math.min(...losses)))
  expect(Math.log(steps[0]!.perplexity)).toBeCloseTo(Math.min(...losses), 4)
  await expect(planLayers({ ...options, strategy: 'deepest', layersToSkip: 1 })).rejects.toThrow('`task` requires')
  await expect(planLayers({ model: MODEL, strategy: 'task', layersToSkip: 1 })).rejects.toThrow('give `task`')
  const withTexts = { ...options, layersToSkip: 1, dataset: 'texts.jsonl' }
  await expect(planLayers(withTexts)).rejects.toThrow(
    '`strategy: task` chooses on the documents of the task: omit `dataset`',
  )
  await expect(planLayers({ ...options, task: 'mmlu', taskData: {}, layersToSkip: 1 })).rejects.toThrow(
    'mmlu is a group',
  )
})

describe('plan --objective task:NAME', () => {
  const cwd = makeTempFolder()
  const args = ['plan', '--model', MODEL, '--layers-to-skip', '2', '--objective', 'task:piqa']
  const task = ['--task-data', `piqa=${writeTaskData(cwd, 'piqa', 9)}`, '--limit', '8']
  const run = (...flags: string[]) => runProgram([...args, ...task, ...flags], { cwd })

  it('makes greedy-perplexity choose as the strategy task does, without texts', async () => {
    const { exitCode, stdout } = await run('--strategy', 'greedy-perplexity', '-o', 'plan.json')
    expect(exitCode).toBe(0)
    expect(stdout).toContain('| perplexity of right answers after |')
    expect(stdout).toContain('Chosen on 8 documents of the split train.')
    const { strategy, removed, scores } = JSON.parse(readFileSync(join(cwd, 'plan.json'), 'utf8'))
    const taskData = { piqa: join(cwd, 'piqa') }
    const options = { model: MODEL, task: 'piqa', taskData, limit: 8, layersToSkip: 2 }
    const expected = await planLayers({ ...options, strategy: 'task' })
    expect({ strategy, removed }).toEqual({ strategy: 'greedy-perplexity', removed: expected.removed })
    expect(scores).toEqual({ objective: 'task:piqa', ...expected.scores })
  })

  it('makes repaired measure on documents what it repairs on texts', async () => {
    const { exitCode, stdout } = await run(...['--strategy', 'repaired', '--dataset', TEXTS, '--dataset-size', '4'])
    expect(exitCode).toBe(0)
    expect(stdout).toContain('| repaired perplexity of right answers after |')
    expect(stdout).toContain('Chosen on 8 documents of the split train, repaired on the first 4 texts.')
  })

  it.each([
    [['--strategy', 'greedy-perplexity', '--dataset', TEXTS], 'the documents of the task: omit --dataset'],
    [['--strategy', 'repaired'], 'the strategy repaired needs texts: give --dataset'],
    [['--objective', 'task:'], 'Expected perplexity, kl or a task, for example task:arc_easy.'],
  ])('refuses %j', async (flags, message) => {
    const { exitCode, stderr } = await run(...flags)
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining(message) })
  })
})

/** Mean negative logarithm of the right choice's share of the first documents of a file. */
async function lossWithout(layer: number, file: string): Promise<number> {
  const losses: number[] = []
  await measureTasks({
    ...{ model: MODEL, tasks: ['piqa'], taskData: { piqa: file }, limit: 8 },
    candidates: [[{ start: layer, end: layer + 1 }]],
    onDocument({ gold, logLikelihoods }) {
      const [, values] = logLikelihoods as [number[], number[]]
      const shares = values.map((value) => Math.exp(value - values[gold[0]!]!))
      losses.push(Math.log(shares[0]! + shares[1]!))
    },
  })
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length
}

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fixtureFolder } from '../../support/fixture-model.js'
import { TEXTS } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'
import { writeTaskData } from '../../support/task-data.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const cwd = makeTempFolder()
const BASICS = ['evaluate', '--model', fixtureFolder('llama'), '--threads', '1']
const data = (task: string) => ['--task', task, '--task-data', `${task}=${writeTaskData(cwd, task, 6)}`]

describe('evaluate --task', () => {
  it('prints tasks by metric, each cut against the whole model', async () => {
    const flags = [...data('piqa'), ...data('boolq'), '--drop', '1', '--drop', '0:1,2:3', '--limit', '4']
    const { exitCode, stdout, stderr } = await runProgram([...BASICS, ...flags], { cwd })
    expect({ exitCode, stderr: exitCode === 0 ? '' : stderr }).toEqual({ exitCode: 0, stderr: '' })
    const rows = stdout.split('\n').map((line) => line.split('|').map((cell) => cell.trim()))
    expect(rows.slice(2, 11).map(([, task, metric, layers]) => [task, metric, layers])).toEqual([
      ...[
        ['piqa', 'acc', 'none'],
        ['', '', '1'],
        ['', '', '0, 2'],
      ],
      ...[
        ['piqa', 'acc_norm', 'none'],
        ['', '', '1'],
        ['', '', '0, 2'],
      ],
      ...[
        ['boolq', 'acc', 'none'],
        ['', '', '1'],
        ['', '', '0, 2'],
      ],
    ])
    expect(rows[3]!.at(-2)).toMatch(/^-?\d+\.\d points( \(-?\d+\.\d to -?\d+\.\d\))?$/)
    // cuts of several sizes have no order
    expect(stdout).not.toContain('To make the cut')
    expect(stdout).toMatch(/\nOver 8 documents, scored as lm-evaluation-harness does\. /)
    expect(stdout).toContain('had a context cut at its start to 128 tokens')
  })

  it('adds tasks to the document of perplexities, and writes what each document gave', async () => {
    const files = ['--log-samples', 'samples.jsonl', '-o', 'evaluation.json']
    const flags = [...data('openbookqa'), '--dataset', TEXTS, '--drop', '1', '--num-fewshot', '1', '--json', ...files]
    const { exitCode, stdout } = await runProgram([...BASICS, ...flags], { cwd })
    expect(exitCode).toBe(0)
    const result = JSON.parse(stdout)
    expect(result).toMatchObject({
      ...{ schema: 'layerprune.evaluation/1', perplexity: expect.any(Number) },
      taskSettings: { maxLength: 128, numFewshot: 1 },
      tasks: { openbookqa: { documents: 6, fewshot: 1, standardError: { acc: expect.any(Number) } } },
      candidates: [{ perplexity: expect.any(Number), tasks: { openbookqa: { documents: 6 } } }],
    })
    expect(JSON.parse(readFileSync(join(cwd, 'evaluation.json'), 'utf8'))).toEqual(result)
    const samples = readFileSync(join(cwd, 'samples.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(samples.map(({ document }) => document)).toEqual([0, 1, 2, 3, 4, 5])
    expect(samples[0].logLikelihoods.map((ofModel: number[]) => ofModel.length)).toEqual([4, 4])
    const mean = samples.reduce((sum, { metrics }) => sum + metrics[1].acc, 0) / 6
    expect(result.candidates[0].tasks.openbookqa.acc).toBeCloseTo(mean, 12)
    const plot = ['plot', '--from', 'evaluation.json', '--kind', 'accuracy', '-o', 'accuracy.svg']
    expect((await runProgram(plot, { cwd })).exitCode).toBe(0)
    expect(readFileSync(join(cwd, 'accuracy.svg'), 'utf8')).toContain('openbookqa, acc_norm, 6 documents')
  })

  it('measures a task of one’s own', async () => {
    writeFileSync(join(cwd, 'mine.jsonl'), '{"q": "Is ice cold?", "a": "yes"}\n{"q": "Is fire cold?", "a": "no"}\n')
    writeFileSync(
      join(cwd, 'mine.yaml'),
      'task: mine\ndataset_path: json\ndataset_kwargs:\n  data_files:\n    test: mine.jsonl\ntest_split: test\n' +
        'output_type: multiple_choice\ndoc_to_text: "{{q}}\\nAnswer:"\ndoc_to_choice: ["no", "yes"]\ndoc_to_target: a\n' +
        'num_fewshot: 1\nfewshot_split: test\n',
    )
    const { stdout } = await runProgram([...BASICS, '--task', 'mine.yaml', '--json'], { cwd })
    expect(JSON.parse(stdout)).toMatchObject({
      schema: 'layerprune.tasks/1',
      tasks: { mine: { documents: 2, fewshot: 1, acc: expect.any(Number), acc_norm: expect.any(Number) } },
    })
  })

  it.each<[what: string, flags: string[], message: string]>([
    ['nothing', [], 'error: nothing to measure: give --dataset for perplexity, --task for accuracy, or both'],
    ['a limit without a task', ['--dataset', TEXTS, '--limit', '3'], 'error: --limit requires --task'],
    ['data without a name', ['--task', 'piqa', '--task-data', 'x'], 'Expected the name of a task and a path'],
  ])('refuses %s', async (_, flags, message) => {
    const { exitCode, stderr } = await runProgram([...BASICS, ...flags], { cwd })
    expect(exitCode).not.toBe(0)
    expect(stderr).toContain(message)
  })
})

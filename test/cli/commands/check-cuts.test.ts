import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { checkResult } from '../../../src/index.js'
import { EXAMPLES } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'
import { writeTaskData } from '../../support/task-data.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const MODEL = join(EXAMPLES, 'model')
const READ = ['--model', MODEL, '--dataset', join(EXAMPLES, 'texts.jsonl'), '--max-length', '64', '--threads', '1']
const cwd = makeTempFolder()
const check = (from: string, ...limits: string[]) => runProgram(['check', '--from', from, ...limits], { cwd })

async function expectDone(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runProgram(args, { cwd })
  expect(exitCode, stderr).toBe(0)
  return stdout
}

describe('check of what a cut costs', () => {
  beforeAll(async () => {
    const tasks = ['--task', 'piqa', '--limit', '4', '--task-data', `piqa=${writeTaskData(cwd, 'piqa', 4)}`]
    await expectDone('evaluate', ...READ, '--dataset-size', '2', '--drop', '4:8', ...tasks, '-o', 'evaluation.json')
    await expectDone(
      ...['sweep', ...READ, '--dataset-size', '2', '--verify-size', '2', '--sizes', '1,2', '-o', 'sweep'],
      ...['--max-perplexity-ratio', '1000'],
    )
    await expectDone('prune', '--model', MODEL, '--from', 'sweep/sweep.json', '-o', 'pruned', '--no-speed')
    const against = ['--model', 'pruned', '--against', MODEL, ...READ.slice(2), '--dataset-size', '2']
    await expectDone('evaluate', ...against, '-o', 'against.json')
    writeFileSync(
      join(cwd, 'prune.json'),
      await expectDone('prune', '--model', MODEL, '--drop', '3', '-o', 'x', '--dry-run', '--json'),
    )
  }, 60_000)

  it('says of each limit what was found, and fails for those that do not hold', async () => {
    const wide = ['--max-perplexity-ratio', '1000', '--max-kl', '100', '--min-task', 'piqa=.0']
    const held = await check('evaluation.json', ...wide)
    expect(held).toMatchObject({ exitCode: 0, stderr: '' })
    expect(held.stdout.split('\n')).toEqual([
      expect.stringMatching(
        /^holds: the perplexity without layers 4\.\.7 is \d+\.\d{3} times that of the whole model: expected at most 1000$/,
      ),
      expect.stringMatching(
        /^holds: the KL divergence without layers 4\.\.7 is \d+\.\d{4} nats per token: expected at most 100$/,
      ),
      expect.stringMatching(/^holds: the accuracy on piqa without layers 4\.\.7 is [01]\.\d{4}: expected at least 0$/),
      '',
    ])
    const broken = await check('evaluation.json', '--max-kl', '0', '--max-perplexity-ratio', '1000')
    expect(broken.exitCode).toBe(1)
    expect(broken.stderr).toMatch(
      /^error: the KL divergence without layers 4\.\.7 is \d+\.\d{4} nats per token: expected at most 0\n$/,
    )
    expect(broken.stdout).toMatch(/^holds: the perplexity [^\n]*\n$/)
  })

  it.each([
    ['sweep/sweep.json', ['--max-perplexity-ratio', '1000', '--max-kl', '50', '--max-size', '1GB']],
    ['sweep/plan.json', ['--max-perplexity-ratio', '1000']],
    ['pruned', ['--max-perplexity-ratio', '1000']],
    ['against.json', ['--max-perplexity-ratio', '1000', '--max-kl', '50']],
    ['prune.json', ['--max-size', '1GB']],
  ])('takes %s', async (from, limits) => {
    const { exitCode, stdout, stderr } = await check(from, ...limits)
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(stdout.match(/^holds: /gm)).toHaveLength(limits.length / 2)
  })

  it('refuses to judge what was not measured', async () => {
    const refused: [string, string[], RegExp][] = [
      ['sweep/sweep.json', ['--min-task', 'piqa=0.5'], /--min-task: the file has no accuracy on piqa, without layers?/],
      [
        'pruned',
        ['--max-kl', '1'],
        /--max-kl: the file has no KL divergence.*\nhint: measure it with layerprune evaluate/,
      ],
      ['evaluation.json', ['--max-distance', '0.3'], /--max-distance is about blocks and their distances/],
    ]
    for (const [from, limits, message] of refused) {
      const { exitCode, stdout, stderr } = await check(from, ...limits)
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
      expect(stderr).toMatch(message)
    }
  })

  it('the library checks the same', async () => {
    const document = JSON.parse(await expectDone('evaluate', ...READ, '--dataset-size', '2', '--drop', '4', '--json'))
    expect(checkResult(document, { maxPerplexityRatio: 1000 })).toMatchObject([{ holds: true }])
    expect(checkResult({ ...document, shard: { index: 1, count: 2 } }, { maxKl: 100 })).toMatchObject([
      { holds: false, text: 'the result is only that of shard 1 of 2: expected a complete one' },
      { holds: true },
    ])
  })
})

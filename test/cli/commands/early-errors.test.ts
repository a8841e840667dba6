import { spawn, spawnSync } from 'node:child_process'
import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { whileTokenizerStarts } from '../../../src/cli/commands/while-tokenizer-starts.js'
import { findChildren } from '../../support/child-processes.js'
import { LONG_TESTS } from '../../support/long-tests.js'
import { FIXTURES, LLAMA, PROGRAM, TEXTS } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const RUNS = LONG_TESTS ? 300 : 12
/** A number with no factor in common with that of the cases, so that a few runs are of many commands. */
const STRIDE = 5
const AT_ONCE = 4

/** With all on one core, the processes that a run starts come late. */
const PINNED = spawnSync('taskset', ['-c', '0', 'true']).status === 0 ? ['taskset', '-c', '0'] : []

/** A copy of a model whose config.json ends in the middle. */
function damageModel(cwd: string): string {
  const model = join(cwd, 'damaged')
  cpSync(LLAMA, model, { recursive: true })
  writeFileSync(join(model, 'config.json'), '{"model_type": "lla')
  return model
}

/** Command lines with errors that are found early. */
function listErrors(damaged: string): string[][] {
  const texts = ['--dataset', TEXTS]
  const inputs = ['--model', LLAMA, ...texts]
  const measuring = [['similarity'], ['evaluate'], ['sweep'], ['plan', '--layers-to-skip', '1'], ['heal', '-o', 'made']]
  const making = [['prune', '-o', 'made'], ['inspect'], ['recipe', '-o', 'made']]
  return [
    ...measuring.flatMap((command) => [
      [...command, '--model', 'missing', ...texts],
      [...command, '--model', damaged, ...texts],
      [...command, '--model', LLAMA, '--dataset', 'missing.jsonl'],
      [...command, ...inputs, '--dataset-column', 'none'],
    ]),
    ...making.flatMap((command) => [
      [...command, '--model', 'missing'],
      [...command, '--model', damaged],
    ]),
    ['similarity', ...inputs, '--layers-to-skip', '99'],
    ['plan', ...inputs, '--layers-to-skip', '99'],
    ['evaluate', ...inputs, '--drop', '90:99'],
    ['prune', '--model', LLAMA, '--drop', '90:99', '-o', 'made'],
    ['evaluate', '--model', LLAMA, '--task', 'none'],
    ['slice-config', '--model', LLAMA, '--drop', '90:99'],
    ...['check', 'plot', 'report', 'merge'].map((command) => [command, 'missing.json']),
    ['check', '--from', 'missing.json', '--expect', '1:2'],
    ['plot', '--from', 'missing.json', '-o', 'plot.svg'],
    ['completion', 'none'],
    ['evaluate', ...inputs, '--dataset-size', '0'],
  ]
}

function runPinned(
  args: string[],
  cwd: string,
): Promise<{ exitCode: number | string; stdout: string; stderr: string }> {
  const [file, ...rest] = [...PINNED, process.execPath, PROGRAM, ...args]
  const env = { ...process.env, HF_HUB_OFFLINE: '1', HF_HOME: '/nonexistent' }
  const child = spawn(file!, rest, { cwd, env })
  const texts = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (text) => {
      texts[name] += text
    })
  }
  return new Promise((resolve) => {
    child.on('close', (code, signal) => resolve({ exitCode: code ?? signal!, ...texts }))
  })
}

it(`${RUNS} early errors of all commands, on one core, end with exit code 1 or 2 and an error`, async () => {
  const cwd = makeTempFolder()
  const cases = listErrors(damageModel(cwd))
  const others: unknown[] = []
  let next = 0
  const work = async () => {
    while (next < RUNS) {
      const args = cases[(next++ * STRIDE) % cases.length]!
      const { exitCode, stdout, stderr } = await runPinned(args, cwd)
      const isClear = (exitCode === 1 || exitCode === 2) && stdout === '' && /^error: /m.test(stderr)
      if (!isClear) others.push({ args, exitCode, stdout, stderr })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  expect(others).toEqual([])
}, 300_000)

it.runIf(process.platform === 'linux')('the tokenizer process starts early only if the inputs are there', async () => {
  const count = () => findChildren(process.pid, 'tokenizer-worker').length
  const load = (model: string, dataset?: string | string[]) =>
    whileTokenizerStarts({ model, dataset }, async () => 'job')
  // tests before this one may have started it, and it is kept
  for (const id of findChildren(process.pid, 'tokenizer-worker')) process.kill(id, 'SIGKILL')
  while (count() > 0) await wait(20)
  // its end is told a moment later
  await wait(200)
  for (const model of ['missing', 'org/model', FIXTURES, TEXTS]) expect(await load(model, TEXTS)).toBe('job')
  for (const dataset of ['missing.jsonl', [TEXTS, 'org/texts'], `${TEXTS}x:0.5`]) await load(LLAMA, dataset)
  expect(count()).toBe(0)
  await load(LLAMA, [`${TEXTS}:0.5`, '-'])
  expect(count()).toBe(1)
})

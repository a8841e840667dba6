import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { createRandom } from '../../../src/base/random.js'
import { findChildren } from '../../support/child-processes.js'
import { sample } from '../../support/long-tests.js'
import { FIXTURES, ROOT, TEXTS } from '../../support/paths.js'
import { runProgram, startProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const KILLS = 20
const hook = pathToFileURL(join(ROOT, 'test/support/kill-at.js')).href
const FLAGS = [
  ...['heal', '--model', join(FIXTURES, 'families/llama'), '--dataset', TEXTS, '-o', 'healed', '--quiet'],
  ...['--steps', '8', '--evaluate-every', '2', '--max-length', '16', '--evaluate-size', '2'],
  ...['--batch-size', '3', '--micro-batch-size', '2', '--rank', '4', '--threads', '1'],
]

function heal(cwd: string, flags: string[], killAt?: number) {
  const env = {
    NODE_OPTIONS: `--import ${hook}`,
    KILL_NEAR: 'healed',
    ...(killAt === undefined ? {} : { KILL_AT: `${killAt}` }),
  }
  return runProgram([...FLAGS, ...flags], { cwd, env })
}

const readWeights = (cwd: string) => readFileSync(join(cwd, 'healed/model.safetensors'))

it('a training that is killed anywhere continues to the same weights, bit by bit', async () => {
  const whole = makeTempFolder()
  const { exitCode, stderr } = await heal(whole, [])
  expect(exitCode, stderr).toBe(0)
  const changes = Number(/^changes: (\d+)$/m.exec(stderr)![1])
  const random = createRandom(7)
  const places = Array.from({ length: KILLS }, () => random.below(changes))
  for (const place of sample(places, KILLS / 2)) {
    const cwd = makeTempFolder()
    expect((await heal(cwd, [], place)).exitCode, `killed at ${place}`).toBeNull()
    const isStopped = existsSync(join(cwd, 'healed.layerprune-training'))
    if (!existsSync(join(cwd, 'healed'))) {
      const resumed = await heal(cwd, isStopped ? ['--resume'] : [])
      expect(resumed.exitCode, resumed.stderr).toBe(0)
    }
    expect(readWeights(cwd).equals(readWeights(whole)), `killed at ${place} of ${changes}`).toBe(true)
  }
}, 240_000)

it.runIf(process.platform === 'linux')(
  'a training whose process for the model is killed ends in one line',
  async () => {
    const { child, outcome } = startProgram([...FLAGS, '--steps', '100000'])
    let found: number[] = []
    while (found.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      found = findChildren(child.pid!, 'session-worker')
    }
    await new Promise((resolve) => setTimeout(resolve, 500))
    process.kill(found[0]!, 'SIGKILL')
    const { exitCode, stdout, stderr } = await outcome
    expect(stderr).toMatch(/^error: the process that runs the model has ended.*\nhint: .*\n$/)
    expect([exitCode, stdout]).toEqual([1, ''])
  },
)

import { readdirSync, readFileSync, watch } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { EXAMPLES } from '../../support/paths.js'
import { runProgram, startProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

// test/hardening/signals.js stops all long jobs, at random times
const EVALUATE = [
  ...['evaluate', '--model', join(EXAMPLES, 'model'), '--dataset', join(EXAMPLES, 'texts.jsonl')],
  ...['--threads', '1', '--batch-size', '1', '--drop', '4:8'],
]

/** Sends a signal once the state of a run is there. */
async function stopOnceSaved(args: string[], cwd: string, signal: NodeJS.Signals) {
  const { child, outcome } = startProgram([...args, '--quiet'], { cwd })
  const watcher = watch(cwd, (_, name) => {
    if (!name?.endsWith('.partial.json')) return
    watcher.close()
    child.kill(signal)
  })
  return outcome.finally(() => watcher.close())
}

it('a stopped evaluation says where its state is, and continues to the same result', async () => {
  const cwd = makeTempFolder()
  const args = [...EVALUATE, '-o', 'ev.json']
  const { exitCode, stderr } = await stopOnceSaved(args, cwd, 'SIGINT')
  expect(stderr).toMatch(
    /^warning: what was measured so far is in ev\.partial\.json; --resume continues from it\nerror: interrupted after \d+( of 200)? texts?\n$/,
  )
  expect(exitCode).toBe(130)
  expect(readdirSync(cwd)).toEqual(['ev.partial.json'])
  const other = await runProgram([...args, '--max-length', '9'], { cwd })
  expect(other.stderr).toMatch(/^error: ev\.partial\.json is a result of evaluate, .*unfinished/)
  const resumed = await runProgram([...args, '--resume'], { cwd })
  expect(resumed.exitCode, resumed.stderr).toBe(0)
  expect(resumed.stderr).toContain('continuing from ev.partial.json')
  expect(readdirSync(cwd)).toEqual(['ev.json'])
  const whole = makeTempFolder()
  await runProgram(args, { cwd: whole })
  const read = (folder: string) => readFileSync(join(folder, 'ev.json'), 'utf8')
  expect(read(cwd)).toBe(read(whole))
})

it('without a file to write, the state is in the working folder, under a name that depends on the flags', async () => {
  const cwd = makeTempFolder()
  const { exitCode, stderr } = await stopOnceSaved(EVALUATE, cwd, 'SIGTERM')
  expect(exitCode, stderr).toBe(130)
  const [state] = readdirSync(cwd)
  expect(state).toMatch(/^layerprune-evaluate-[0-9a-f]{8}\.partial\.json$/)
  expect(stderr).toContain(`what was measured so far is in ${state}; --resume continues from it`)
  const other = await runProgram([...EVALUATE, '--dataset-size', '2', '--resume'], { cwd })
  expect(other.stderr).toMatch(/there is no layerprune-evaluate-\S+ to resume: starting from the beginning/)
  expect(readdirSync(cwd)).toEqual([state])
})

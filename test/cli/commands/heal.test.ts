import { join } from 'node:path'
import { expect, it } from 'vitest'
import { FIXTURES, TEXTS } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const MODEL = join(FIXTURES, 'families/llama')
const SHORT = ['--steps', '2', '--max-length', '16', '--evaluate-size', '2']

it('heal prints what was trained and what came of it, and does not write twice', async () => {
  const cwd = makeTempFolder()
  const args = ['heal', '--model', MODEL, '--dataset', TEXTS, '-o', 'healed', ...SHORT]
  const { exitCode, stdout, stderr } = await runProgram(args, { cwd })
  expect(exitCode, stderr).toBe(0)
  expect(stderr).toMatch(/^the training takes about \d+ MB of memory\n$/)
  const lines = stdout.trim().split('\n')
  expect(lines[0]).toMatch(/^Wrote the healed model to healed \(\d+ kB\)\.$/)
  expect(lines[1]).toMatch(/^Trained 11,520 parameters in 9 modules for 2 steps \(\d+ s, [\d,]+ tokens\/s\)\./)
  expect(lines[2]).toMatch(/^Perplexity on 2 other texts of .*texts\.jsonl \(\d+ tokens\):$/)
  expect(lines.slice(3, 5).map((line) => line.trim().split(/\s+/)[0])).toEqual(['before', 'after'])
  expect(lines.slice(5)).toEqual(['To publish it:', '  hf upload YOUR_NAME/healed healed'])
  const again = await runProgram(args, { cwd })
  expect(again.exitCode).toBe(1)
  expect(again.stderr).toBe(
    'error: healed already exists\nhint: name another folder with --output, or replace this one with --force\n',
  )
})

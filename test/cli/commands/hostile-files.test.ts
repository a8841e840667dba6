import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { LLAMA, TEXTS } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const cwd = makeTempFolder()
const EVIL = 'll\u001b[2J\u009b31m\u202e\nerror: forged'
const STEERING = /[^\P{Cc}\n]|[\u200e\u200f\u2028-\u202e\u2066-\u2069]/u

cpSync(LLAMA, join(cwd, 'model'), { recursive: true })
const change = (file: string, changes: object) => {
  const path = join(cwd, 'model', file)
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...changes }))
}
change('config.json', { model_type: EVIL, [`key ${EVIL}`]: [1, 2, 3] })
change('tokenizer_config.json', { tokenizer_class: EVIL })
writeFileSync(join(cwd, 'model', `${EVIL}.txt`), 'a file that prune copies')

it.each([
  ['inspect'],
  ['similarity', '--dataset', TEXTS, '--layers-to-skip', '1'],
  ['evaluate', '--dataset', TEXTS, '--drop', '1'],
  ['prune', '--drop', '1', '-o', 'pruned', '--dry-run'],
])('%s prints nothing of a model that would steer the terminal', async (...args) => {
  const { exitCode, stdout, stderr } = await runProgram([...args, '--model', 'model'], { cwd })
  expect(exitCode, stderr).toBe(0)
  expect(stdout + stderr).not.toMatch(STEERING)
  expect(stdout + stderr).not.toMatch(/^error: forged/m)
  if (args[0] !== 'evaluate') expect(stdout).toContain('ll\ufffd[2J\ufffd31m\ufffd')
})

it('its JSON says the same, escaped', async () => {
  const { stdout } = await runProgram(['inspect', '--model', 'model', '--json'], { cwd })
  expect(stdout).not.toMatch(STEERING)
  expect(JSON.parse(stdout).model.family).toBe(EVIL)
})

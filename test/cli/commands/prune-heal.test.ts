import { existsSync, readdirSync, readFileSync, watch } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { PruneFlags } from '../../../src/cli/commands/prune-flags.js'
import { readHealOptions } from '../../../src/cli/commands/run/prune-heal.js'
import { findSchemaProblem } from '../../../src/results/documents/json-schema.js'
import { EXAMPLES, FIXTURES, TEXTS } from '../../support/paths.js'
import { runProgram, startProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const LLAMA = ['prune', '--model', join(FIXTURES, 'families/llama'), '-o', 'out', '--no-speed', '--drop', '1']
const TRAIN = ['--heal', '--dataset', TEXTS, '--max-length', '16', '--evaluate-size', '2']

it('prune --repair --heal measures all on the same texts, and writes one model with all in its card', async () => {
  const cwd = makeTempFolder()
  const dataset = join(EXAMPLES, 'texts.jsonl')
  const { exitCode, stdout, stderr } = await runProgram(
    [
      ...['prune', '--model', join(EXAMPLES, 'model'), '--drop', '4:8', '-o', 'out', '--repair', '--heal'],
      ...['--dataset', dataset, '--dataset-size', '20', '--evaluate-size', '4', '--max-length', '32'],
      ...['--heal-steps', '4', '--samples', '1', '--json'],
    ],
    { cwd },
  )
  expect(exitCode, stderr).toBe(0)
  expect(readdirSync(cwd)).toEqual(['out'])
  const result = JSON.parse(stdout)
  expect(findSchemaProblem('prune', result)).toBeNull()
  const { repair, heal, samples, files } = result
  expect(heal).toMatchObject({ steps: 4, model: expect.stringMatching(/model without 4:8$/) })
  expect(heal.data.heldOut).toMatchObject({ texts: 4, scoredTokens: repair.evaluation.scoredTokens })
  expect(heal.perplexity.before).toBeCloseTo(repair.perplexity.repaired, 1)
  expect(heal.perplexity.after).toBeLessThan(heal.perplexity.before)
  // the first texts are held out
  expect(samples[0].origin).toBe(`${dataset}:1`)
  expect(files).toEqual(heal.files)
  const card = readFileSync(join(cwd, 'out/README.md'), 'utf8')
  expect(card).toContain('This is `model without 4:8`, trained further')
  expect(card).toContain(`| after | ${heal.perplexity.after.toFixed(2)} |`)
  expect(card).toContain(`| cut and repaired | ${repair.perplexity.repaired.toFixed(2)} |`)
  const typed =
    'layerprune prune --model model --drop 4:8 -o out --repair --heal --dataset texts.jsonl --dataset-size 20'
  expect(card.split(typed)).toHaveLength(3)
  // of the folder that is written, once
  expect(card.split('hf upload YOUR_NAME/out out')).toHaveLength(2)
  expect(card.split('pretrained=out ')).toHaveLength(2)
})

it('a stopped prune --heal continues with --resume, if the cut is the same', async () => {
  const cwd = makeTempFolder()
  const more = [...TRAIN, '--heal-steps', '200', '--quiet']
  const { child, outcome } = startProgram([...LLAMA, ...more], { cwd })
  const watcher = watch(cwd, (_, name) => {
    if (name !== 'out.layerprune-training') return
    watcher.close()
    child.kill('SIGINT')
  })
  const stopped = await outcome
  expect(stopped.exitCode).toBe(130)
  expect(stopped.stderr).toMatch(/^error: interrupted after \d+ steps?; --resume continues from there\n$/)
  expect(existsSync(join(cwd, 'out'))).toBe(false)
  const again = (...flags: string[]) => runProgram([...LLAMA, ...more, ...flags], { cwd })
  expect((await again()).stderr).toContain('out.layerprune-pruned holds the model of a stopped training')
  const other = await runProgram([...LLAMA.slice(0, -1), '2', ...more, '--resume'], { cwd })
  expect(other.stderr).toMatch(
    /: it was started with --drop 1:2 .* --heal-steps 200, not --drop 2:3 .* --heal-steps 200\n/,
  )
  const { exitCode, stdout, stderr } = await again('--resume')
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  expect(stdout).toMatch(
    /\nTrained [\d,]+ parameters in 6 modules for 200 steps .*\nPerplexity .*:\n {2}whole .*\n {2}before .*\n {2}after /,
  )
  expect(readdirSync(cwd)).toEqual(['out'])
})

const FLAGS = { model: 'model', output: 'out', speed: false, dataset: ['texts.jsonl'] }

it.each<[Partial<PruneFlags>, string]>([
  [{ heal: true, dataset: undefined }, '--heal needs texts to train on: give --dataset'],
  [{ healSteps: 3 }, '--heal-steps requires --heal'],
  [{ heal: true, dryRun: true }, '--heal cannot be combined with --dry-run'],
  [
    { heal: true, allDtypes: true },
    '--heal cannot be combined with --all-dtypes, because it trains one set of weights',
  ],
  [{ heal: true, tokenizer: 'other' }, "--heal trains with the model's own tokenizer"],
])('%j is wrong usage', (flags, message) => {
  expect(() => readHealOptions({ ...FLAGS, ...flags })).toThrow(message)
})

it.each([
  [['--resume'], 'there is no training to resume: missing out.layerprune-pruned'],
  [['--model', join(FIXTURES, 'families/mixtral')], 'models with experts cannot be trained here'],
  [['--model', join(EXAMPLES, 'model'), '--format', 'onnx'], '--heal needs safetensors'],
])('with %j nothing is pruned', async (flags, message) => {
  const cwd = makeTempFolder()
  const { exitCode, stderr } = await runProgram([...LLAMA, ...TRAIN, ...flags], { cwd })
  expect(stderr).toContain(message)
  expect(exitCode).toBe(1)
  expect(readdirSync(cwd)).toEqual([])
})

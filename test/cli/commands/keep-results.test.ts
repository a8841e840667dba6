import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { EXAMPLES, FIXTURES } from '../../support/paths.js'
import { runProgram, startProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const TEXTS = join(EXAMPLES, 'texts.jsonl')
const MODEL = join(FIXTURES, 'families/llama')
const READ = ['--dataset', TEXTS, '--threads', '1', '--max-length', '16']
const INPUTS = ['--model', MODEL, ...READ]
const SIMILARITY = ['similarity', ...INPUTS, '--dataset-size', '6']
const VERIFIED = [...SIMILARITY, '--layers-to-skip', '2', '--verify', '2', '--verify-size', '2']
const SWEEP = [
  'sweep',
  ...INPUTS,
  '--dataset-size',
  '3',
  '--verify-size',
  '2',
  '--sizes',
  '1,2',
  '--strategy',
  'deepest',
]
const LIMIT = ['--max-perplexity-ratio', '1000']
const EVALUATE = ['evaluate', ...INPUTS, '--dataset-size', '2', '--drop', '1']
const PLAN = ['plan', '--model', MODEL, '--strategy', 'deepest', '--layers-to-skip']

/** All files of a folder with their content. */
const readAll = (folder: string) =>
  Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]))

async function expectDone(cwd: string, ...args: string[]): Promise<void> {
  const { exitCode, stderr } = await runProgram(args, { cwd })
  expect(exitCode, stderr).toBe(0)
}

async function expectRefused(cwd: string, args: string[], message: RegExp): Promise<void> {
  const { exitCode, stdout, stderr } = await runProgram(args, { cwd })
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
  expect(stderr).toMatch(
    /^error: .*\nhint: name another (place with --output, or replace what is there with --force|file)/,
  )
  expect(stderr).toMatch(message)
}

describe('a folder of results', () => {
  it('keeps those of one run: the same run may repeat it, another is refused before it works, --force replaces all', async () => {
    const cwd = makeTempFolder()
    const folder = join(cwd, 'layerprune-output')
    await expectDone(cwd, ...VERIFIED)
    await expectDone(cwd, ...VERIFIED, '--quiet', '--json')
    const before = readAll(folder)
    await expectRefused(
      cwd,
      [...SIMILARITY, '--layers-to-skip', '2'],
      /a result of similarity, model \S+, 6 texts, checked by perplexity, written 20\S+ \d\d:\d\d UTC; its --verify-size was 2, not 32, and 1 more$/m,
    )
    await expectRefused(
      cwd,
      [...SWEEP, ...LIMIT],
      /holds the results of another run: similarity\.json is a result of similarity/,
    )
    await expectRefused(
      cwd,
      [...PLAN, '1', '-o', 'layerprune-output/plan.json'],
      /would be taken for a file of the run/,
    )
    await expectRefused(
      cwd,
      ['slice-config', '--drop', '1', '--model', MODEL, '-o', 'layerprune-output/slice.yaml'],
      /slice\.yaml would be taken for a file of the run of layerprune-output.similarity\.json/,
    )
    expect(readAll(folder)).toEqual(before)
    await expectDone(cwd, ...SWEEP, ...LIMIT, '--force')
    expect(readdirSync(folder).sort()).toEqual(['plan.json', 'sweep.csv', 'sweep.json', 'sweep.svg'])
    await expectDone(cwd, ...SIMILARITY, '--force')
    expect(readdirSync(folder)).toEqual(['similarity.json'])
  })

  it('keeps what an unfinished run left for its --resume', async () => {
    const cwd = makeTempFolder()
    await expectDone(cwd, ...SIMILARITY, '--layers-to-skip', '2', '-o', 'out')
    const { run, ...result } = JSON.parse(readFileSync(join(cwd, 'out/similarity.json'), 'utf8'))
    writeFileSync(
      join(cwd, 'out/similarity.partial.json'),
      JSON.stringify({ ...result, partial: true, run: { ...run, options: {} } }),
    )
    await expectRefused(
      cwd,
      [...SIMILARITY, '--layers-to-skip', '2', '-o', 'out'],
      /similarity\.partial\.json is .*, unfinished; it had no .*\n.*; the same flags and --resume continue it$/m,
    )
  })

  it('takes the shards of one run and what is merged from them', async () => {
    const cwd = makeTempFolder()
    for (const _ of ['once', 'and again, as a script does']) {
      for (const shard of ['1/2', '2/2']) await expectDone(cwd, ...SWEEP, '--shard', shard)
      const shards = [1, 2].map((index) => `layerprune-output/sweep.shard-${index}-of-2.json`)
      await expectDone(cwd, 'merge', ...shards, ...LIMIT)
    }
    const shards = [1, 2].map((index) => `layerprune-output/sweep.shard-${index}-of-2.json`)
    await expectRefused(cwd, ['merge', ...shards, '--max-perplexity-ratio', '2'], /sweep\.json is .* was 1000, not 2/)
    await expectRefused(cwd, [...SWEEP, '--shard', '1/2', '--full'], /it had no --full/)
  })
})

describe('a file of results', () => {
  it.each<[string, string[], string[], RegExp]>([
    ['plan', [...PLAN, '1'], [...PLAN, '2'], /is a result of plan, model \S+, .*; its --layers-to-skip was 1, not 2$/m],
    ['evaluate', EVALUATE, [...EVALUATE, '--drop', '2'], /is a result of evaluate, .* 2 texts, .*; its --drop was/],
  ])('of %s is replaced by the same run alone, or with --force', async (_, first, second, message) => {
    const cwd = makeTempFolder()
    await expectDone(cwd, ...first, '-o', 'saved.json')
    await expectDone(cwd, ...first, '-o', 'saved.json')
    const before = readFileSync(join(cwd, 'saved.json'), 'utf8')
    await expectRefused(cwd, [...second, '-o', 'saved.json'], message)
    expect(readFileSync(join(cwd, 'saved.json'), 'utf8')).toBe(before)
    await expectDone(cwd, ...second, '-o', 'saved.json', '--force')
    expect(readFileSync(join(cwd, 'saved.json'), 'utf8')).not.toBe(before)
  })
})

it('a recipe is replaced by the same one alone, or with --force', async () => {
  const cwd = makeTempFolder()
  const recipe = ['recipe', '--model', MODEL, '--dataset', TEXTS]
  await expectDone(cwd, ...recipe)
  await expectDone(cwd, ...recipe)
  await expectRefused(cwd, [...recipe, '--steps', '3'], /axolotl\.yaml is of other settings, or was edited/)
  await expectDone(cwd, ...recipe, '--steps', '3', '--force')
})

it('two processes never write to one place: the second is refused at once', async () => {
  const cwd = makeTempFolder()
  // long enough that both are at work at once
  const inputs = ['--model', join(EXAMPLES, 'model'), ...READ]
  const heal = ['heal', ...inputs, '--steps', '1', '--evaluate-size', '2', '--dataset-size', '40', '-o', 'healed']
  const first = startProgram(['similarity', ...inputs, '-o', 'out'], { cwd })
  const healing = startProgram(heal, { cwd })
  const second = startProgram(['sweep', ...inputs, '--sizes', '1', '-o', 'out'], { cwd })
  const again = startProgram(heal, { cwd })
  const [done, refused] = (await Promise.all([first.outcome, second.outcome])).sort((a, b) => a.exitCode! - b.exitCode!)
  const [healed, busy] = (await Promise.all([healing.outcome, again.outcome])).sort((a, b) => a.exitCode! - b.exitCode!)
  expect([done!.exitCode, refused!.exitCode, healed!.exitCode, busy!.exitCode]).toEqual([0, 1, 0, 1])
  expect(refused!.stderr).toMatch(
    /^error: out\S* is being written by another layerprune process(: pid \d+ on \S+, since 20| that has just started)/m,
  )
  expect(busy!.stderr).toMatch(
    /^error: healed is being written by another layerprune process(: pid \d+ on \S+, since 20| that has just started)/m,
  )
  expect(readdirSync(cwd).sort()).toEqual(['healed', 'out'])
})

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { comparePruned } from '../../../src/jobs/prune/compare-pruned.js'
import { findSchemaProblem } from '../../../src/results/documents/json-schema.js'
import type { Plan } from '../../../src/results/documents/plan.js'
import type { Sample } from '../../../src/results/documents/prune-result.js'
import type { SweepResult } from '../../../src/results/documents/sweep-result.js'
import { EXAMPLES } from '../../support/paths.js'
import { type Outcome, runProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const cwd = makeTempFolder()
const MODEL = join(EXAMPLES, 'model')
const BASICS = [
  ...['sweep', '--model', MODEL, '--dataset', join(EXAMPLES, 'texts.jsonl'), '--max-length', '24'],
  ...['--dataset-size', '3', '--verify-size', '2', '--threads', '1'],
]

const LIMITS = ['--max-perplexity-ratio', '1000']

describe('sweep', () => {
  let outcome: Outcome
  let sweep: SweepResult
  beforeAll(async () => {
    outcome = await runProgram(
      [...BASICS, ...LIMITS, '--strategy', 'angular', '--strategy', 'deepest', '--samples', '2'],
      { cwd },
    )
    sweep = JSON.parse(readFileSync(join(cwd, 'layerprune-output/sweep.json'), 'utf8'))
  })

  it('prints a row for the whole model and each cut, what it was measured on, and the next command', () => {
    const { exitCode, stdout, stderr } = outcome
    expect({ exitCode, stderr: exitCode === 0 ? '' : stderr }).toEqual({ exitCode: 0, stderr: '' })
    const lines = stdout.split('\n')
    expect(lines[0]).toMatch(/^\| +n \| layers removed \| perplexity \| +× whole \| +size \| tokens\/s \|/)
    expect(lines.filter((line) => line.startsWith('|'))).toHaveLength(3 + sweep.candidates.length)
    expect(sweep.sizes).toEqual([1, 2, 3, 4, 5, 6])
    expect(stdout).toContain('Chosen on the first 3 texts, measured on the next 2 of at most 24 tokens: ')
    expect(stdout).toMatch(
      /The largest cut with at most 1000 times the perplexity of the whole model: remove layers \S+ \(0-based, 6 of 12\), by \w+\./,
    )
    expect(stdout.trimEnd()).toMatch(/layerprune prune --model \S+ --from \S*plan\.json --threads 1 -o model-pruned$/)
    expect(stdout.match(/<- recommended/g)).toHaveLength(1)
  })

  it('writes result, table, curves and the plan that prune takes, and leaves nothing else', async () => {
    const folder = join(cwd, 'layerprune-output')
    const read = (name: string) => readFileSync(join(folder, name), 'utf8')
    expect(readdirSync(folder).sort()).toEqual(['plan.json', 'sweep.csv', 'sweep.json', 'sweep.svg'])
    const plan: Plan = JSON.parse(read('plan.json'))
    expect(plan).toMatchObject({ strategy: 'sweep', removed: sweep.recommended!.removed })
    const rows = read('sweep.csv')
      .trimEnd()
      .split('\n')
      .map((row) => row.split(','))
    expect(rows).toHaveLength(2 + sweep.candidates.length)
    expect(new Set(rows.map((row) => row.length))).toEqual(new Set([12]))
    const [first] = sweep.candidates
    const [layers, removed, , , perplexity] = rows[2]!
    expect([Number(layers), removed, Number(perplexity)]).toEqual([
      1,
      `${first!.removed[0]!.start}:${first!.removed[0]!.end}`,
      first!.perplexity,
    ])
    const { exitCode, stdout } = await runProgram(
      ['prune', '--model', MODEL, '--plan', join(folder, 'plan.json'), '-o', 'cut', '--dry-run', '--json'],
      { cwd },
    )
    expect(exitCode).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ layers: 6 })
  })

  it('shows what the whole model and the recommended cut say after texts that neither was measured on', async () => {
    const { samples = [] } = sweep
    expect(samples.map(({ origin }) => origin.split(':').at(-1))).toEqual(['6', '7'])
    const { stdout } = outcome
    const shown = stdout.slice(stdout.indexOf('What each says next, by the most likely token each time:'))
    const oneLine = (text: string) => text.replace(/\s+/g, ' ').trim()
    for (const { beginning, whole, pruned } of samples) {
      expect(shown).toContain(`: ${oneLine(beginning)} ...\n    whole   ${oneLine(whole)}\n`)
      expect(shown).toContain(`    pruned  ${oneLine(pruned) || '(nothing)'}\n`)
      expect(whole).not.toBe(pruned)
    }
    const { removed } = sweep.recommended!
    const compared = await comparePruned({
      ...{ model: MODEL, removed, threads: 1 },
      samples: { dataset: join(EXAMPLES, 'texts.jsonl'), count: 2, skip: 5 },
    })
    expect(samples.map(({ whole, pruned }) => [whole, pruned])).toEqual(
      compared!.samples.map(({ whole, pruned }) => [whole, pruned]),
    )
    expect(findSchemaProblem('sweep', sweep)).toBeNull()
  })

  it('gives --from the cut that it recommends', async () => {
    const from = join(cwd, 'layerprune-output/sweep.json')
    const { exitCode, stdout } = await runProgram(['slice-config', '--from', from], { cwd })
    expect(exitCode).toBe(0)
    expect(stdout).toContain('(0-based, 6 of 12)')
  })

  it('merges shards, and gives limits to the merged sweep', async () => {
    const folder = makeTempFolder()
    for (const shard of ['1/2', '2/2']) {
      const { exitCode } = await runProgram(
        [...BASICS, '--strategy', 'deepest', '--sizes', '1,2', '--shard', shard, '-o', folder, '--resume'],
        { cwd },
      )
      expect(exitCode).toBe(0)
    }
    const shards = readdirSync(folder).map((name) => join(folder, name))
    expect(shards).toHaveLength(2)
    const { exitCode, stdout } = await runProgram(
      ['merge', ...shards, '--max-perplexity-ratio', '1000', '-o', 'merged'],
      { cwd },
    )
    expect(exitCode).toBe(0)
    const merged = join(cwd, 'merged')
    const sweep: SweepResult = JSON.parse(readFileSync(join(merged, 'sweep.json'), 'utf8'))
    expect(sweep).toMatchObject({ recommended: { layersToSkip: 2, strategies: ['deepest'] } })
    expect(stdout).toContain('To make the cut, and see what the whole and the cut model say:\n')
    // samples are of texts after those that were measured
    const command = /layerprune (prune .*) -o \S+$/.exec(stdout.trimEnd())![1]!
    const made = await runProgram([...command.split(' '), '-o', 'made', '--threads', '1', '--json'], { cwd })
    const { samples, plan } = JSON.parse(made.stdout)
    expect(plan.dataset).toMatchObject({ texts: 2, readTexts: 5 })
    expect(samples.map(({ origin }: Sample) => origin.split(':').at(-1))).toEqual(['6', '7', '8'])
  })

  it('shows a sweep in the report', async () => {
    const { exitCode, stdout } = await runProgram(['report', join(cwd, 'layerprune-output/sweep.json'), '-o', '-'], {
      cwd,
    })
    expect(exitCode).toBe(0)
    expect(stdout).toContain('How many layers can go')
    const [section] = /<section class="sweep"[\s\S]*?<\/section>/.exec(stdout)!
    expect(section.match(/<tr/g)!.length).toBe(2 + sweep.candidates.length)
    expect(section.match(/<dt>whole<\/dt>/g)).toHaveLength(2)
  })

  it.each([
    [['--strategy', 'nearest'], 'Allowed choices are verified, angular'],
    [['--max-perplexity-ratio', '0.9'], 'Expected a number above 1'],
    [['--samples', '1'], '--samples needs a limit, such as --max-perplexity-ratio'],
    [['--samples', '1', '--shard', '1/2'], 'samples show the recommended cut, and a shard recommends none'],
    [['--max-memory', '1GB', '--repair'], 'a repair is fitted with the whole model loaded'],
    [[...LIMITS, '--samples', '1', '--repair'], 'samples show the cut without a repair'],
  ])('refuses %j', async (flags, message) => {
    const { exitCode, stderr } = await runProgram([...BASICS, ...flags, '-o', 'refused'], { cwd })
    expect(exitCode).toBe(2)
    expect(stderr).toContain(message)
  })
})

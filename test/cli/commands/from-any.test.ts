import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { EXAMPLES } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const MODEL = join(EXAMPLES, 'model')
const READ = ['--model', MODEL, '--dataset', join(EXAMPLES, 'texts.jsonl'), '--max-length', '16', '--threads', '1']
const EVALUATE = ['evaluate', ...READ, '--dataset-size', '2']
const cwd = makeTempFolder()

/** The command that writes each file, and the layers that it names, if these are known before. */
const SAVED: Record<string, string[]> = {
  'result/similarity.json': ['similarity', ...READ, '--dataset-size', '4', '--layers-to-skip', '4', '-o', 'result'],
  'sweep/sweep.json': [
    ...['sweep', ...READ, '--dataset-size', '2', '--verify-size', '2', '--sizes', '4', '-o', 'sweep'],
    ...['--max-perplexity-ratio', '1000'],
  ],
  'evaluation.json': [...EVALUATE, '--drop', '4:8', '--drop', '0:4', '-o', 'evaluation.json'],
  'sizes.json': [...EVALUATE, '--drop', '4:8', '--drop', '5', '-o', 'sizes.json'],
  'plan.json': ['plan', '--model', MODEL, '--strategy', 'deepest', '--layers-to-skip', '3', '-o', 'plan.json'],
  pruned: ['prune', '--model', MODEL, '--drop', '4:8', '-o', 'pruned', '--no-speed'],
}

const slice = (...flags: string[]) => runProgram(['slice-config', '--model', MODEL, ...flags], { cwd })

describe('--from', () => {
  beforeAll(async () => {
    for (const args of Object.values(SAVED)) {
      const { exitCode, stderr } = await runProgram(args, { cwd })
      expect(exitCode, stderr).toBe(0)
    }
    const { stdout } = await runProgram(
      ['prune', '--model', MODEL, '--drop', '4:8', '-o', 'x', '--dry-run', '--json'],
      {
        cwd,
      },
    )
    writeFileSync(join(cwd, 'prune.json'), stdout)
  }, 60_000)

  it.each([
    ['result/similarity.json', 'layers 7..10'],
    ['sweep/sweep.json', 'layers '],
    ['sweep/plan.json', 'layers '],
    ['evaluation.json', 'layers 4..7'],
    ['plan.json', 'layers 8..10'],
    ['prune.json', 'layers 4..7'],
    ['pruned', 'layers 4..7'],
    ['pruned/', 'layers 4..7'],
  ])('takes %s, and so does --plan', async (file, layers) => {
    const [from, plan] = [await slice('--from', file), await slice('--plan', file)]
    expect(from.exitCode, from.stderr).toBe(0)
    expect(from.stdout).toContain(layers)
    expect(plan).toEqual(from)
  })

  it('takes several in evaluate, and the size of cuts that were measured', async () => {
    const flags = ['--from', 'sizes.json', '--plan', 'evaluation.json', '--layers-to-skip', '4', '--json']
    const { exitCode, stdout, stderr } = await runProgram([...EVALUATE, ...flags], { cwd })
    expect(exitCode, stderr).toBe(0)
    expect(JSON.parse(stdout).candidates.map((cut: { removed: unknown }) => cut.removed)).toEqual([
      [{ start: 4, end: 8 }],
      [{ start: 4, end: 8 }],
    ])
  })

  it('refuses what names no cut, with what to do', async () => {
    mkdirSync(join(cwd, 'empty'))
    const refused: [string[], number, RegExp][] = [
      [
        ['--from', 'sizes.json'],
        2,
        /measured cuts that have no order: of several sizes.*\nhint: name the layers with --drop/,
      ],
      [['--from', 'plan.json', '--layers-to-skip', '3'], 2, /plan\.json names one cut, and --layers-to-skip chooses/],
      [
        ['--from', 'result'],
        1,
        /result is a folder without layerprune-plan\.json.*\nhint: give result.similarity\.json/,
      ],
      [['--from', 'empty'], 1, /expected a file, or a folder that prune wrote\nhint: give what similarity, sweep/],
      [['--from', 'result/layer_distances.csv'], 1, /layer_distances\.csv is not a saved result: it is not JSON\nhint/],
    ]
    for (const [flags, code, message] of refused) {
      const { exitCode, stdout, stderr } = await slice(...flags)
      expect({ exitCode, stdout }).toEqual({ exitCode: code, stdout: '' })
      expect(stderr).toMatch(message)
    }
  })

  it('report reads a folder that prune wrote, and plot says how to draw what is no result of blocks', async () => {
    const report = await runProgram(['report', 'pruned', '-o', '-'], { cwd })
    expect({ exitCode: report.exitCode, stderr: report.stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(report.stdout).toContain('4..7')
    for (const [file, hint] of [
      ['evaluation.json', 'draw its cuts with --kind perplexity'],
      ['sweep/sweep.json', 'sweep.svg is beside it'],
    ]) {
      const { exitCode, stderr } = await runProgram(['plot', '--from', file!, '-o', 'x.svg'], { cwd })
      expect(exitCode).toBe(1)
      expect(stderr).toContain(hint)
    }
  })
})

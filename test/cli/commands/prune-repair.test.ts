import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openModel } from '../../../src/engine/model.js'
import { readEndTokens } from '../../../src/jobs/evaluate/end-tokens.js'
import { generateGreedy } from '../../../src/jobs/evaluate/generate-greedy.js'
import { openNextToken } from '../../../src/jobs/evaluate/next-token.js'
import { loadTokenizer } from '../../../src/texts/tokens/tokenizer.js'
import { EXAMPLES, FIXTURES } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const MODEL = join(EXAMPLES, 'model')
const LINES = readFileSync(join(EXAMPLES, 'texts.jsonl'), 'utf8').split('\n')

/** A folder with texts to fit on and others to measure on. */
function makeTexts(): string {
  const cwd = makeTempFolder()
  writeFileSync(join(cwd, 'fit.jsonl'), LINES.slice(0, 24).join('\n'))
  writeFileSync(join(cwd, 'measure.jsonl'), LINES.slice(100, 106).join('\n'))
  return cwd
}

const repair = (cwd: string, ...args: string[]) =>
  runProgram(['prune', '--model', MODEL, '--repair', '-o', 'out', ...args], { cwd })

/** What the model in a folder says after a beginning, in as many tokens as another text has there. */
async function continueText(folder: string, beginning: string, like: string): Promise<string> {
  const { encode, decode } = await loadTokenizer(folder)
  const model = await openModel({ model: folder })
  const runner = await openNextToken(model, [], { device: 'cpu' })
  const ids = await encode(beginning, 1000)
  const options = {
    removed: [],
    tokens: (await encode(beginning + like, 1000)).length - ids.length,
    endTokens: await readEndTokens(model),
  }
  try {
    const [continuation] = await generateGreedy(runner, [{ ids, origin: '' }], options)
    return (await decode([...ids, ...continuation!])).slice((await decode(ids)).length)
  } finally {
    await runner.close()
  }
}

describe('prune --repair', () => {
  it('fits on a few texts, which are no more than one batch, but not on one', async () => {
    const cwd = makeTexts()
    const texts = ['--dataset', 'fit.jsonl', '--evaluate-on', 'measure.jsonl', '--evaluate-size', '1']
    const few = await repair(cwd, '--drop', '10', ...texts, '--dataset-size', '4', '--no-speed', '--json')
    expect(few.stderr).not.toContain('error')
    const { calibration, cuts } = JSON.parse(few.stdout).repair
    expect(calibration.texts).toBe(4)
    expect(cuts[0].heldOutShare).toBeLessThan(1)
    const one = await repair(cwd, '--drop', '10', ...texts, '--dataset-size', '1', '--force', '--quiet')
    expect(one).toMatchObject({
      exitCode: 1,
      stdout: '',
      stderr: `error: one text of fit.jsonl is too little to fit the repair on: it is fitted on some texts and checked on others
hint: give more texts with --dataset or --dataset-size
`,
    })
  })

  it('writes a model that is better than the cut, and says how much, in JSON and in the card', async () => {
    const cwd = makeTexts()
    const texts = ['--dataset', 'fit.jsonl', '--evaluate-on', 'measure.jsonl']
    const { exitCode, stdout, stderr } = await repair(cwd, ...['--drop', '4:8,10:11', ...texts, '--json', '--verbose'])
    expect(exitCode).toBe(0)
    const phases = ['opening', 'whole model', 'moments', 'equations', 'changing', 'perplexity']
    const figures = phases.map((phase) => `${phase} \\d+\\.\\d s in [\\d.]+ [MG]B`).join(', ')
    expect(stderr).toMatch(new RegExp(`^repair: \\d+\\.\\d s, at most [\\d.]+ [MG]B of memory: ${figures}$`, 'm'))
    const { repair: report, layers, samples, tokensPerSecond } = JSON.parse(stdout)
    expect(layers).toBe(7)
    expect(tokensPerSecond).toMatchObject({ tokens: 256 })
    expect(samples.map(({ origin }: { origin: string }) => origin)).toEqual(
      [1, 2, 3].map((line) => `measure.jsonl:${line}`),
    )
    for (const { beginning, pruned } of samples) {
      expect(await continueText(join(cwd, 'out'), beginning, pruned)).toBe(pruned)
    }
    expect(report.cuts).toMatchObject([
      { start: 4, end: 8, layer: 3, weight: 'model.layers.3.mlp.down_proj.weight', bias: null },
      { start: 10, end: 11, layer: 9, weight: 'model.layers.9.mlp.down_proj.weight', bias: null },
    ])
    expect(report.calibration).toMatchObject({ texts: 24, maxLength: 256 })
    expect(report.evaluation).toMatchObject({ texts: 6, repeated: 0 })
    const { whole, cut, repaired } = report.perplexity
    expect(repaired).toBeLessThan(cut)
    expect(whole).toBeLessThan(repaired)
    const card = readFileSync(join(cwd, 'out/README.md'), 'utf8')
    expect(card).toContain('`model.layers.9.mlp.down_proj.weight`')
    expect(card).toContain(
      '--repair -o out --drop 4:8,10:11 --dataset fit.jsonl --evaluate-on measure.jsonl --json --verbose\n```',
    )
    expect(card).toContain(`| cut and repaired | ${repaired.toFixed(2)} |`)

    const evaluation = await runProgram(
      ['evaluate', '--model', 'out', '--dataset', 'measure.jsonl', '--max-length', '256', '--json'],
      { cwd },
    )
    expect(JSON.parse(evaluation.stdout).perplexity).toBeCloseTo(repaired, 3)
  })

  it('measures on the texts that follow, and changes a graph if one is pruned', async () => {
    const cwd = makeTexts()
    const sizes = ['--dataset-size', '16', '--evaluate-size', '6']
    const { exitCode, stdout, stderr } = await repair(
      cwd,
      ...['--drop', '4:8', '--format', 'onnx', '--dtype', 'fp32', '--dataset', 'fit.jsonl', ...sizes, '--no-speed'],
    )
    expect(exitCode, stderr).toBe(0)
    expect(stdout).toMatch(
      /Repaired before 4:8 in layer 3: \d+ % of the squared error .*\nChanged: onnx::MatMul_\d+, onnx::MatMul_\d+/,
    )
    const [, whole, cut, repaired] =
      /on 6 other texts of fit\.jsonl .*:\n {2}whole +([\d.]+).*\n {2}cut +([\d.]+).*\n {2}repaired +([\d.]+)/
        .exec(stdout)!
        .map(Number)
    expect(repaired).toBeLessThan(cut!)
    expect(whole).toBeLessThan(repaired!)
    const evaluation = await runProgram(
      [
        'evaluate',
        '--model',
        'out',
        '--dataset',
        'fit.jsonl',
        '--dataset-skip',
        '16',
        '--dataset-size',
        '6',
        '--max-length',
        '256',
        '--json',
      ],
      { cwd },
    )
    expect(JSON.parse(evaluation.stdout).perplexity).toBeCloseTo(repaired!, 2)
  })

  it('skips texts to measure on that it was fitted on, and says so', async () => {
    const cwd = makeTexts()
    writeFileSync(join(cwd, 'measure.jsonl'), [...LINES.slice(0, 3), ...LINES.slice(100, 102)].join('\n'))
    const texts = ['--dataset', 'fit.jsonl', '--evaluate-on', 'measure.jsonl', '--dataset-size', '10']
    const { exitCode, stdout, stderr } = await repair(cwd, '--drop', '5', ...texts, '--no-speed', '--json')
    expect(exitCode, stderr).toBe(0)
    expect(stderr).toContain('skipped 3 texts to measure on, because the repair is fitted on them')
    expect(JSON.parse(stdout).repair.evaluation).toMatchObject({ texts: 2, repeated: 3 })

    const same = await repair(cwd, '--force', '--drop', '5', '--dataset', 'fit.jsonl', '--evaluate-on', 'fit.jsonl')
    expect(same.exitCode).toBe(1)
    expect(same.stderr).toMatch(/^error: fit\.jsonl holds no text .* to measure on but 24 of those/m)
  })

  it('repairs within a limit of memory as without one, and says how much it needs', async () => {
    const cwd = makeTexts()
    const sizes = ['--dataset-size', '10', '--evaluate-size', '4', '--no-speed', '--json', '--force']
    const run = (...args: string[]) => repair(cwd, '--drop', '5', '--dataset', 'fit.jsonl', ...sizes, ...args)
    const refused = await run('--max-memory', '1MB')
    expect(refused.exitCode).toBe(1)
    const [, least] = /memory is too little: this model takes at least (\d+)MB/.exec(refused.stderr)!
    const [limited, free] = [await run('--max-memory', `${Number(least) + 20}MB`), await run()]
    expect(limited.exitCode, limited.stderr).toBe(0)
    expect(JSON.parse(limited.stdout).repair).toEqual(JSON.parse(free.stdout).repair)
  })

  it('refuses what it cannot do before it starts', async () => {
    const cwd = makeTexts()
    const texts = ['--dataset', 'fit.jsonl']
    const cases: [args: string[], exitCode: number, error: string][] = [
      [['--drop', '5'], 2, '--repair needs texts to fit on: give --dataset'],
      [['--drop', '5', ...texts, '--dry-run'], 2, '--repair cannot be combined with --dry-run'],
      [['--drop', '5', ...texts], 1, 'to measure on after the 24 that the repair is fitted on'],
      [['--drop', '0:2', ...texts], 2, 'the block [0, 2) cannot be repaired'],
      [['--drop', '5', ...texts, '--dtype', 'q8'], 1, 'its weights are quantised'],
      [
        ['--drop', '1', ...texts, '--model', join(FIXTURES, 'families/gemma2')],
        1,
        'a norm stands between the stream and what its MLP adds',
      ],
      [['--drop', '1', ...texts, '--model', join(FIXTURES, 'families/mixtral')], 1, 'mixture of experts'],
    ]
    for (const [args, exitCode, error] of cases) {
      const outcome = await repair(cwd, ...args)
      expect(outcome.stderr).toContain(error)
      expect(outcome.exitCode).toBe(exitCode)
    }
    const without = (...flags: string[]) =>
      runProgram(['prune', '--model', MODEL, '--drop', '5', '-o', 'out', ...flags], { cwd })
    const fitted = await without(...texts, '--dataset-size', '8')
    expect(fitted.stderr).toContain('--dataset-size requires --repair')
    expect((await without('--resume')).stderr).toContain('--resume requires --repair or --heal')
    expect((await without('--verbose')).stderr).toContain('--verbose requires --repair')
    expect((await without('--max-memory', '1GB')).stderr).toContain('--max-memory requires --repair')
    expect((await without('--samples', '2')).stderr).toContain('--samples needs texts: give --dataset')
  })
})

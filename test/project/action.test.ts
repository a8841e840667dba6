import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { LLAMA, PROGRAM, ROOT, TEXTS } from '../support/paths.js'
import { makeTempFolder } from '../support/temp-folder.js'

const action = parse(readFileSync(join(ROOT, 'action.yml'), 'utf8'))

interface Step {
  name?: string
  run?: string
  env?: Record<string, string>
}

/** A folder as the step Install leaves it, with other programs if given. */
function makeBin(programs: Record<string, string> = {}): string {
  const bin = join(makeTempFolder(), 'bin')
  mkdirSync(bin)
  symlinkSync(PROGRAM, join(bin, 'layerprune'))
  for (const [name, script] of Object.entries(programs)) writeFileSync(join(bin, name), script, { mode: 0o755 })
  return bin
}

/** Runs a step's script with its inputs filled in, as the runner does. */
async function runStep(name: string, inputs: Record<string, string>, cwd: string, environment: NodeJS.ProcessEnv = {}) {
  const { run, env } = (action.runs.steps as Step[]).find((step) => step.name === name)!
  const filled = Object.entries(env!).map(([key, value]) => [
    key,
    value.replace(/\$\{\{ inputs\.([\w-]+) \}\}/, (_, input) => inputs[input] ?? action.inputs[input].default ?? ''),
  ])
  return promisify(execFile)('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', run!], {
    cwd,
    env: {
      ...process.env,
      PATH: `${makeBin()}${delimiter}${process.env.PATH}`,
      ...environment,
      ...Object.fromEntries(filled),
      HF_HUB_OFFLINE: '1',
      GITHUB_ACTION_PATH: ROOT,
      GITHUB_STEP_SUMMARY: join(cwd, 'summary.md'),
      GITHUB_OUTPUT: join(cwd, 'outputs'),
    },
  })
}

/** What a step gave to the steps after it, as the runner reads it. */
function readOutputs(cwd: string): Record<string, string> {
  const text = readFileSync(join(cwd, 'outputs'), 'utf8')
  const entries = [...text.matchAll(/^(\w+)(?:=(.*)|<<(.*)\n([\s\S]*?)\n\3)\n/gm)]
  expect(entries.map(([entry]) => entry).join('')).toBe(text)
  return Object.fromEntries(entries.map(([, name, value, , lines]) => [name, value ?? lines]))
}

describe('the action', () => {
  const cwd = makeTempFolder()
  const inputs = {
    model: LLAMA,
    dataset: TEXTS,
    'layers-to-skip': '1',
    arguments: '--tokens all --batch-size 2',
  }

  it('measures, writes summary and page, and names the block', async () => {
    await runStep('Measure', inputs, cwd)
    const result = JSON.parse(readFileSync(join(cwd, 'layerprune-output/similarity.json'), 'utf8'))
    expect(result).toMatchObject({ tokens: 'all', settings: { batchSize: 2 } })
    expect(readOutputs(cwd)).toEqual({
      result: 'layerprune-output/similarity.json',
      start: `${result.best.start}`,
      end: `${result.best.end}`,
    })
    const summary = readFileSync(join(cwd, 'summary.md'), 'utf8')
    expect(summary).toContain(`Nearest block: layer ${result.best.start} (0-based, 1 of 3)`)
    const [, ...tables] = summary.split(/```text\n[\s\S]*?\n```\n/)
    expect(tables.join('').trim()).toMatch(/^\| start \| .*\|\n\| ----: \| .*\|(\n\| .*\|)+$/)
    expect(existsSync(join(cwd, 'layerprune-output/report.html'))).toBe(true)
  })

  it('writes to a folder in folders that do not exist yet, whatever its name', async () => {
    const other = makeTempFolder()
    const output = 'results/run 1\nstart=9'
    const { stderr } = await runStep('Measure', { ...inputs, output, arguments: '--quiet' }, other)
    expect(stderr).not.toContain('No such file')
    const { best } = JSON.parse(readFileSync(join(other, output, 'similarity.json'), 'utf8'))
    expect(readOutputs(other)).toEqual({
      result: `${output}/similarity.json`,
      start: `${best.start}`,
      end: `${best.end}`,
    })
    expect(existsSync(join(other, output, 'report.html'))).toBe(true)
  })

  it('passes or fails by what is expected', async () => {
    const { stdout } = await runStep('Check', { 'max-distance': '0.9' }, cwd)
    expect(stdout).toMatch(/^holds: the distance of layer \d/)
    await expect(runStep('Check', { 'max-distance': '0.001', 'min-confidence': '0.1' }, cwd)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('expected at most 0.001'),
      stdout: expect.stringMatching(/^holds: .*\n::error title=layerprune::the distance of .*\n$/),
    })
  })

  it('checks what an earlier step saved, by what a cut costs', async () => {
    const place = makeTempFolder()
    const perplexity = { perplexity: 2, wholePerplexity: 1 }
    const model = { id: 'm', layers: 4 }
    const plan = { schema: 'layerprune.plan/1', model, strategy: 'verified', removed: [{ start: 1, end: 2 }] }
    const saved = { ...plan, layersToSkip: 1, scores: perplexity, layerpruneVersion: '0.1.0' }
    writeFileSync(join(place, 'plan.json'), JSON.stringify(saved))
    const { stdout } = await runStep('Check', { from: 'plan.json', 'max-perplexity-ratio': '2.5' }, place)
    expect(stdout).toBe(
      'holds: the perplexity without layer 1 is 2.000 times that of the whole model: expected at most 2.5\n',
    )
    await expect(runStep('Check', { from: 'plan.json', 'max-perplexity-ratio': '1.5' }, place)).rejects.toMatchObject({
      code: 1,
    })
  })

  it('makes an annotation of an error, with the exit code of the program', async () => {
    const model = '100% of nothing'
    await expect(runStep('Measure', { ...inputs, model }, makeTempFolder())).rejects.toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^::error title=layerprune::.*100%25 of nothing.*\n$/),
      stderr: expect.stringMatching(/^error: .*100% of nothing/m),
    })
  })

  it('installs its own version from npm, or the package that is named', async () => {
    const bin = makeBin({ npm: '#!/bin/bash\nprintf "<%s>" "$@"' })
    const place = makeTempFolder()
    const environment = {
      PATH: `${bin}${delimiter}${process.env.PATH}`,
      RUNNER_TEMP: place,
      GITHUB_PATH: join(place, 'path'),
    }
    const install = async (named: Record<string, string>) =>
      (await runStep('Install', named, place, environment)).stdout
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
    expect(await install({})).toBe(
      `<install><--prefix><${place}/layerprune><--ignore-scripts><--no-audit><--no-fund><layerprune@${version}>`,
    )
    expect(await install({ package: './my package.tgz' })).toContain('<./my package.tgz>')
    expect(readFileSync(join(place, 'path'), 'utf8')).toContain(`${place}/layerprune/node_modules/.bin\n`)
  })

  it('keeps the downloads of a model of the Hub, and of no other', async () => {
    const find = async (model: string, environment: NodeJS.ProcessEnv = {}) => {
      const place = makeTempFolder()
      await runStep('Find downloads', { model }, place, {
        HF_HUB_CACHE: '',
        HF_HOME: '',
        HOME: '/home/user',
        ...environment,
      })
      return existsSync(join(place, 'outputs')) ? readOutputs(place) : {}
    }
    const found = await find('org/model')
    expect(found).toEqual({
      folder: '/home/user/.cache/huggingface/hub',
      key: expect.stringMatching(/^layerprune-[0-9a-f]{40}$/),
    })
    expect((await find('org/other', { HF_HOME: '/cache' })).folder).toBe('/cache/hub')
    expect((await find('org/other')).key).not.toBe(found.key)
    expect(await find(LLAMA)).toEqual({})
  })

  it('is given inputs that it knows by the example', () => {
    const example = parse(readFileSync(join(ROOT, 'examples/engines/check.yml'), 'utf8'))
    const step = example.jobs.check.steps.find((step: { id?: string }) => step.id === 'layers')
    const known = Object.keys(action.inputs)
    expect(Object.keys(step.with).filter((input) => !known.includes(input))).toEqual([])
    const required = known.filter((input) => action.inputs[input].required)
    expect(required.filter((input) => !(input in step.with))).toEqual([])
  })
})

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { measureSimilarity, type SimilarityResult } from '../../../src/index.js'
import { makePlan } from '../../../src/results/documents/plan.js'
import { EXAMPLES, FIXTURES, LLAMA, TEXTS } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const cwd = makeTempFolder()
const EXAMPLE = join(EXAMPLES, 'model')
let result: SimilarityResult

beforeAll(async () => {
  result = await measureSimilarity({ model: LLAMA, dataset: TEXTS, layersToSkip: 1 })
  writeFileSync(join(cwd, 'similarity.json'), JSON.stringify(result))
  writeFileSync(
    join(cwd, 'plan.json'),
    JSON.stringify(
      makePlan({
        model: { id: 'org/model', layers: 4 },
        strategy: 'block-influence',
        removed: [
          { start: 2, end: 3 },
          { start: 0, end: 1 },
        ],
      }),
    ),
  )
})

describe('slice-config', () => {
  it('takes the best block of a saved result', async () => {
    const { exitCode, stdout, stderr } = await runProgram(['slice-config', '--from', 'similarity.json'], {
      cwd,
    })
    expect(exitCode).toBe(0)
    expect(stderr).toBe('')
    expect(result.best).toMatchObject({ start: 2, end: 3 })
    expect(stdout).toContain('# layerprune: removes layer 2 (0-based, 1 of 3)\n')
    expect(parse(stdout)).toEqual({
      slices: [{ sources: [{ model: LLAMA, layer_range: [0, 2] }] }],
      merge_method: 'passthrough',
      dtype: 'float32',
    })
  })

  it('takes any other size from the same result, under another name, into a file', async () => {
    const { exitCode, stdout } = await runProgram(
      [
        'slice-config',
        '--from',
        'similarity.json',
        '--layers-to-skip',
        '2',
        '--model',
        'org/model',
        '-o',
        'slice.yaml',
      ],
      { cwd },
    )
    expect(exitCode).toBe(0)
    expect(stdout).toBe('')
    expect(parse(readFileSync(join(cwd, 'slice.yaml'), 'utf8')).slices).toEqual([
      { sources: [{ model: 'org/model', layer_range: [0, 1] }] },
    ])
  })

  it('takes an explicit range of a model that is not here', async () => {
    const { stdout } = await runProgram(
      ['slice-config', '--model', 'org/model', '--start', '21', '--end', '29', '--num-layers', '32'],
      { cwd },
    )
    expect(parse(stdout)).toEqual({
      slices: [
        { sources: [{ model: 'org/model', layer_range: [0, 21] }] },
        { sources: [{ model: 'org/model', layer_range: [29, 32] }] },
      ],
      merge_method: 'passthrough',
    })
  })

  it('knows the layers and the dtype of a model that is here', async () => {
    const { stdout } = await runProgram(['slice-config', '--model', LLAMA, '--start', '0', '--end', '1'], {
      cwd,
    })
    expect(parse(stdout)).toMatchObject({
      slices: [{ sources: [{ layer_range: [1, 3] }] }],
      dtype: 'float32',
    })
  })

  it('takes scattered layers by --drop and by --plan', async () => {
    const dropped = await runProgram(['slice-config', '--model', 'org/model', '--drop', '2,0:1', '--num-layers', '4'], {
      cwd,
    })
    const planned = await runProgram(['slice-config', '--plan', 'plan.json'], { cwd })
    expect(dropped.exitCode).toBe(0)
    expect(planned.stdout).toBe(dropped.stdout)
    expect(parse(dropped.stdout).slices).toEqual([
      { sources: [{ model: 'org/model', layer_range: [1, 2] }] },
      { sources: [{ model: 'org/model', layer_range: [3, 4] }] },
    ])
  })

  it.each([
    [
      ['--model', 'org/model', '--start', '2', '--end', '40', '--num-layers', '32'],
      2,
      'layers 2..39 cannot be removed from it',
    ],
    [['--model', 'org/model', '--start', '5', '--end', '5', '--num-layers', '32'], 2, 'is empty'],
    [['--model', 'org/model', '--start', '0', '--end', '4', '--num-layers', '4'], 2, 'no layer would be kept'],
    [['--model', 'org/model', '--start', '1', '--end', '4'], 2, 'number of layers is not known'],
    [['--model', LLAMA, '--start', '1', '--end', '2', '--num-layers', '9'], 2, 'has 3 layers'],
    [['--from', 'similarity.json', '--layers-to-skip', '3'], 2, '1 to 2'],
    [['--from', 'similarity.json', '--start', '1'], 2, '--start'],
    [['--start', '1', '--end', '2'], 2, 'the model is not named'],
    [['--model', LLAMA], 2, 'no layers are named'],
    [['--model', LLAMA, '--start', '1'], 2, '--start requires --end'],
    [['--model', LLAMA, '--drop', '0:1', '--drop', '1:2'], 2, 'named more than once'],
    [['--model', LLAMA, '--drop', '0:1', '--plan', 'plan.json'], 2, 'named more than once'],
    [['--model', LLAMA, '--drop', '0-1'], 2, "'0-1' names no layers"],
    [['--model', LLAMA, '--drop', '0:2,1:3'], 2, 'overlap'],
    [['--model', LLAMA, '--drop', '1:2', '--layers-to-skip', '1'], 2, 'requires --from'],
    [['--plan', 'plan.json', '--model', EXAMPLE], 2, 'a model of 4 layers; '],
    [['--plan', 'plan.json', '--num-layers', '4'], 2, 'says how many layers'],
    [['--from', 'missing.json'], 1, 'missing.json cannot be read'],
    [['--from', TEXTS], 1, 'not valid JSON'],
    [['--from', join(LLAMA, 'config.json')], 1, 'schema is missing'],
    [
      ['--from', 'similarity.json', '-o', 'similarity.json/slice.yaml'],
      1,
      'cannot write similarity.json: is a file, expected a folder',
    ],
  ])('refuses %j', async (args, exitCode, message) => {
    const outcome = await runProgram(['slice-config', ...args], { cwd })
    expect(outcome).toMatchObject({ exitCode, stdout: '' })
    expect(outcome.stderr).toContain(message)
    expect(outcome.stderr).toMatch(/^error: .*\n(hint: .*\n)?$/)
    expect(existsSync(join(cwd, 'no'))).toBe(false)
  })

  it('refuses a saved result with a distance missing', async () => {
    const damaged = { ...result, distances: { ...result.distances, 2: [0.1] } }
    writeFileSync(join(cwd, 'damaged.json'), JSON.stringify(damaged))
    const { exitCode, stderr } = await runProgram(['slice-config', '--from', 'damaged.json'], { cwd })
    expect(exitCode).toBe(1)
    expect(stderr).toContain('distances["2"] must have 2 entries')
  })
})

describe('slice-config --format llama-quantize', () => {
  const file = (name: string) => join(FIXTURES, 'gguf', name)
  const write = (model: string, layers: string) =>
    runProgram(['slice-config', '--format', 'llama-quantize', '--model', model, '--drop', layers], { cwd })

  it('gives the command that removes the layers and copies the rest', async () => {
    const { exitCode, stdout, stderr } = await write(file('llama.gguf'), '0..1')
    expect(stdout).toBe(`llama-quantize --prune-layers 0,1 ${file('llama.gguf')} llama-pruned.gguf COPY\n`)
    expect(stderr).toBe('')
    expect(exitCode).toBe(0)
  })

  it('warns of what llama-quantize leaves as it was', async () => {
    const { stdout, stderr } = await write(file('lfm2.gguf'), '0')
    expect(stdout).toContain('--prune-layers 0 ')
    expect(stderr).toContain('llama-quantize keeps lfm2.attention.head_count_kv as the whole model has it')
    expect(stderr).toContain('layerprune prune')
    const gemma = await write(file('gemma2.gguf'), '1')
    expect(gemma.stderr).toContain('cannot say what these layers need: window of the layer')
  })

  it('refuses a model that is no GGUF file', async () => {
    const { exitCode, stderr } = await write(EXAMPLE, '1')
    expect(exitCode).toBe(2)
    expect(stderr).toContain(`--format llama-quantize: ${EXAMPLE} is not a GGUF file`)
  })
})

import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { memorySize } from '../../../src/cli/commands/arguments.js'
import { makeProgram } from '../../../src/cli/program.js'
import { formatCutOfResult, formatSweepAdvice } from '../../../src/cli/terminal/next-command.js'
import { formatCommand, formatPruneCommand, TAKEN_OVER } from '../../../src/results/next-command.js'
import { exampleResult } from '../../support/similarity-example.js'

const result = exampleResult([0.4, 0.2, 0.3], { layersToSkip: 2 })
const SAVED = 'layerprune-output/similarity.json'
const cutOf = (options: object) => formatCutOfResult(result, options, SAVED).replace(/^To .*:\n {2}/, '')

it('names model, file and a folder', () => {
  expect(cutOf({ model: 'org/model' })).toBe(`layerprune prune --model org/model --from ${SAVED} -o model-pruned`)
  expect(cutOf({ model: 'org/model', revision: 'v2' })).toContain('--model org/model --revision v2 --from')
})

it('says if nothing was checked', () => {
  const verification = { recommended: { start: 2, end: 4 } }
  const of = (given: object) => formatCutOfResult({ ...result, ...given }, { model: 'm' }, SAVED)
  expect(of({ verification })).toMatch(/^To make the cut:\n/)
  expect(of({})).toMatch(/^To cut the nearest block without that check:\n/)
})

it.skipIf(process.platform === 'win32').each(["my 'best' $HOME model", '/a b/`id`', 'ünï;rm'])(
  'is what a shell reads for %s',
  (id) => {
    const words = execFileSync('sh', ['-c', `printf '%s\\n' ${cutOf({ model: id })}`], { encoding: 'utf8' })
    expect(words.split('\n').slice(2, 5)).toEqual(['--model', id, '--from'])
  },
)

it('writes every kind of option as the command line reads it', () => {
  const options = {
    ...{ model: 'm', dataset: ['a.jsonl', 'b c.jsonl'], textLines: true, shuffle: 0, maxMemory: 4 * 2 ** 30 },
    ...{ ignoreConfigKey: ['x', 'y'], datasetColumn: 'text', device: 'cpu', maxLength: 1024, datasetSplit: undefined },
  }
  expect(formatCommand('evaluate', { options, own: ['--drop', '1:3'] })).toBe(
    [
      "layerprune evaluate --model m --drop 1:3 --ignore-config-key x --ignore-config-key y --dataset a.jsonl 'b c.jsonl'",
      '--shuffle 0 --text-lines --max-memory 4GiB',
    ].join(' '),
  )
})

it.each(['500MB', '3.5GiB', '8GB', '1.25TB', '123456789.5MB', '7.3GiB'])('gives back a memory limit of %s', (size) => {
  const maxMemory = memorySize(size)
  const command = formatCommand('evaluate', { options: { model: 'm', maxMemory } })
  expect(memorySize(/--max-memory (\S+)/.exec(command)![1]!)).toBe(maxMemory)
})

describe('a command to make a cut', () => {
  const command = (options: object, more = {}) =>
    formatPruneCommand({ options: { model: 'm', ...options }, cut: ['--drop', '1:3'], ...more })

  it('reads the graph that was measured, but not tensors in the precision that they were computed in', () => {
    expect(command({ dtype: 'q8' }, { file: 'model.safetensors' })).not.toContain('--dtype')
    expect(command({ dtype: 'q8' }, { file: 'onnx/model_quantized.onnx' })).toContain('--dtype q8')
    expect(command({ dtype: 'bf16' })).not.toContain('--dtype')
    expect(command({ dtype: 'q4' })).toContain('--dtype q4')
    expect(command({ dtype: 'fp16', format: 'onnx' })).toContain('--format onnx --dtype fp16')
  })

  it('leaves an adapter to be merged', () => {
    const options = { model: 'my-adapter', revision: 'v1', base: 'b', dtype: 'q8', dataset: ['t'], maxLength: 16 }
    expect(command(options, { isAdapter: true })).toBe(
      'layerprune prune --model YOUR_MERGED_MODEL --drop 1:3 -o my-adapter-pruned',
    )
  })

  it('takes the texts of a repair only if it repairs', () => {
    const options = { dataset: ['t.jsonl'], datasetSize: 8, maxLength: 16, maxMemory: 1e9, datasetColumn: 'body' }
    expect(command(options)).not.toContain('t.jsonl')
    const samples = command(options, { use: 'samples' })
    expect(samples).toContain('--dataset t.jsonl --dataset-column body -o m-pruned')
    expect(command(options, { use: 'repair' })).toContain(
      '--dataset t.jsonl --dataset-column body --dataset-size 8 --max-length 16 --max-memory 1GB',
    )
  })
})

it('leaves texts to measure cuts on if the dataset has no more', () => {
  const sized = (samples: number, datasetSize?: number) =>
    / --dataset-size (\d+)/.exec(
      formatSweepAdvice({ dataset: { ...result.dataset, samples } }, { model: 'm', datasetSize }),
    )?.[1]
  expect([sized(2000), sized(64), sized(40), sized(1)]).toEqual([undefined, undefined, undefined, '1'])
  expect([sized(400, 400), sized(300, 400), sized(32, 32)]).toEqual(['400', '240', undefined])
})

/** Why an option of a next command is not taken over from the run before it. */
const OWN_CHOICE: Record<string, string[]> = {
  'it names the cut': ['start', 'end', 'drop', 'from', 'plan', 'layersToSkip', 'sizes', 'strategy'],
  'it says where the result goes, or how it is shown': [
    ...['output', 'force', 'resume', 'json', 'quiet', 'verbose', 'logSamples', 'dryRun', 'speed', 'samples', 'export'],
  ],
  'it is another measurement': [
    ...['against', 'task', 'taskData', 'limit', 'numFewshot', 'verifySize', 'evaluateOn', 'evaluateSize'],
    ...['repair', 'full', 'maxPerplexityRatio', 'maxSize', 'minTask', 'shard', 'allDtypes', 'unproven'],
  ],
  'it is a training': ['heal', 'healSteps', 'healMinutes'],
}

describe.each(['sweep', 'evaluate', 'prune'] as const)('%s as a next command', (name) => {
  const { options } = makeProgram().commands.find((command) => command.name() === name)!
  const taken: Record<string, unknown> = TAKEN_OVER[name]

  it('takes over each option, or has a choice of its own', () => {
    const known = new Set([...Object.keys(taken), 'model', 'revision', ...Object.values(OWN_CHOICE).flat()])
    const names = options.map((option) => option.attributeName())
    expect(names.filter((option) => !known.has(option))).toEqual([])
    expect(Object.keys(taken).filter((option) => !names.includes(option))).toEqual([])
  })

  it('has the defaults that its help names', () => {
    for (const [option, usual] of Object.entries(taken)) {
      const { defaultValue, description } = options.find((known) => known.attributeName() === option)!
      const named = /\(default: (text|train|\d+)\)$/.exec(description)?.[1]
      const found = defaultValue ?? (named !== undefined && Number.isInteger(Number(named)) ? Number(named) : named)
      expect({ option, usual }).toEqual({ option, usual: found ?? (usual === false ? false : undefined) })
    }
  })
})

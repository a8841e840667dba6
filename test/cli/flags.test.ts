import { describe, expect, it } from 'vitest'
import { makeProgram } from '../../src/cli/program.js'

/** Commands by what they do, and the flags that commands of each kind have. */
const KINDS: { name: string; commands: string[]; flags: string[] }[] = [
  {
    name: 'opens a model',
    commands: ['similarity', 'inspect', 'sweep', 'plan', 'evaluate', 'prune', 'heal', 'export'],
    flags: ['--model', '--revision', '--base', '--model-file', '--format', '--dtype', '--ignore-config-key'],
  },
  {
    name: 'runs a model',
    commands: ['similarity', 'sweep', 'plan', 'evaluate', 'prune', 'heal'],
    flags: ['--tokenizer', '--device', '--threads', '--max-memory', '--batch-size', '--max-length', '--resume'],
  },
  {
    name: 'reads texts',
    commands: ['similarity', 'sweep', 'plan', 'evaluate', 'prune', 'heal', 'recipe'],
    flags: [
      ...['--dataset', '--dataset-column', '--dataset-size', '--dataset-skip', '--dataset-config', '--dataset-split'],
      ...['--dataset-revision', '--shuffle', '--text-lines'],
    ],
  },
  {
    name: 'measures tasks',
    commands: ['sweep', 'plan', 'evaluate'],
    flags: ['--task', '--task-data', '--limit', '--num-fewshot'],
  },
  {
    name: 'takes a cut',
    commands: ['slice-config', 'evaluate', 'prune', 'export'],
    flags: ['--start', '--end', '--drop', '--from', '--plan', '--layers-to-skip'],
  },
  {
    name: 'reads one saved file',
    commands: ['slice-config', 'evaluate', 'prune', 'export', 'plot', 'check'],
    flags: ['--from'],
  },
  { name: 'measures parts', commands: ['similarity', 'sweep', 'evaluate'], flags: ['--shard'] },
  {
    name: 'judges cuts',
    commands: ['sweep', 'merge', 'check'],
    flags: ['--max-perplexity-ratio', '--max-size', '--min-task'],
  },
  {
    name: 'writes',
    commands: [
      ...['similarity', 'merge', 'slice-config', 'sweep', 'plan', 'evaluate', 'prune', 'heal', 'recipe'],
      ...['export', 'report', 'plot'],
    ],
    flags: ['--output', '--force'],
  },
  { name: 'writes a model or a training', commands: ['prune', 'heal', 'recipe', 'export'], flags: ['--dry-run'] },
  {
    name: 'prints',
    commands: [
      ...['similarity', 'merge', 'slice-config', 'inspect', 'sweep', 'plan', 'evaluate', 'prune', 'heal', 'recipe'],
      ...['export', 'report', 'plot', 'check'],
    ],
    flags: ['--json', '--quiet'],
  },
]

const FILES = 'it writes a file of its own form'
const MERGED = 'an adapter is merged before it is cut or trained'
const TRAINED = 'float safetensors are trained, with their own tokenizer'
const GPU_READS = 'the training on the GPU reads the texts itself'
const DRAWN = 'what it writes is made again in a moment, and it replaces only its own kind'

/** Why a command lacks a flag that others of its kind have. */
const LACKS: Record<string, Record<string, string>> = {
  '--base': { prune: MERGED, heal: MERGED },
  '--model-file': { heal: TRAINED },
  '--format': { heal: TRAINED },
  '--tokenizer': { heal: TRAINED },
  '--device': { prune: 'the repair and the speed are those of the processor' },
  '--max-memory': { plan: 'its searches run the whole model many times: similarity, sweep and evaluate have it' },
  '--dataset-size': { recipe: GPU_READS },
  '--dataset-skip': { recipe: GPU_READS },
  '--dataset-revision': { recipe: GPU_READS },
  '--shuffle': { recipe: GPU_READS },
  '--text-lines': { recipe: GPU_READS },
  '--force': { 'slice-config': DRAWN, report: DRAWN, plot: DRAWN },
  '--dry-run': {
    heal: 'its cost is only known from steps: recipe estimates it, and --steps 1 tries it',
    recipe: 'it writes two small files, and --force replaces them',
  },
  '--json': { 'slice-config': FILES, report: FILES, plot: FILES, check: 'one line per expectation, and the exit code' },
}

/** Default values that help names, with the reason if a command has one of its own. */
const DEFAULTS: Record<string, Record<string, [value: string, reason?: string]>> = {
  '--max-length': {
    similarity: ['1024'],
    sweep: ['1024'],
    plan: ['1024'],
    evaluate: ['1024'],
    prune: ['256', 'the least squares hold the states of all texts'],
    heal: ["256, or the model's limit if lower", 'a step takes the memory of all layers of a sequence'],
    recipe: ['2048, or 4096 for models with more than 10 billion parameters', 'a GPU trains as the paper does'],
  },
  '--batch-size': {
    similarity: ['8'],
    sweep: ['8'],
    plan: ['8'],
    evaluate: ['8'],
    prune: ['8'],
    heal: ['4', 'sequences per step of a training, not texts run at once'],
  },
  '--dataset-size': {
    similarity: ['all'],
    evaluate: ['all'],
    sweep: ['32', 'each cut of each size runs on them'],
    plan: ['128 or fewer, see below', 'the slower a strategy, the fewer'],
    prune: ['128', 'the repair is fitted on them'],
    heal: ['as many as the training needs', 'the steps decide'],
  },
  '--evaluate-size': { prune: ['64'], heal: ['64'] },
}

const program = makeProgram()
const flagsOf = new Map(program.commands.map((command) => [command.name(), command.options]))
const find = (command: string, flag: string) => flagsOf.get(command)!.find(({ long }) => long === flag)

describe('the flags of all commands', () => {
  it('are those of what a command does, unless a reason is given', () => {
    const gaps = KINDS.flatMap(({ name, commands, flags }) =>
      commands.flatMap((command) =>
        flags
          .filter((flag) => (find(command, flag) === undefined) !== (LACKS[flag]?.[command] !== undefined))
          .map((flag) => `${command}, which ${name}: ${flag}`),
      ),
    )
    expect(gaps).toEqual([])
  })

  it('belong to what a command does', () => {
    const strays = KINDS.filter(({ name }) => name !== 'reads one saved file').flatMap(({ commands, flags }) =>
      flags.flatMap((flag) => {
        const known = KINDS.filter((kind) => kind.flags.includes(flag)).flatMap((kind) => kind.commands)
        return [...flagsOf.keys()]
          .filter((name) => find(name, flag) !== undefined && ![...known, ...commands].includes(name))
          .map((name) => `${name} ${flag}`)
      }),
    )
    // an input of slices and of a recipe is named, not opened; an export runs a model only to check it
    const named = [
      'export --threads',
      'export --tokenizer',
      'slice-config --model',
      'recipe --model',
      'recipe --max-length',
      'slice-config --format',
    ]
    const sized = ['similarity', 'sweep', 'plan', 'plot', 'check'].map((name) => `${name} --layers-to-skip`)
    expect([...new Set(strays)].sort()).toEqual([...named, ...sized].sort())
  })

  it('have -o for every --output', () => {
    for (const [command, options] of flagsOf) {
      const output = options.find(({ long }) => long === '--output')
      expect({ command, short: output?.short }).toEqual({ command, short: output && '-o' })
    }
  })

  it('have equal defaults, unless a reason is given', () => {
    for (const [flag, commands] of Object.entries(DEFAULTS)) {
      const having = [...flagsOf.keys()].filter((name) => find(name, flag) !== undefined)
      expect(Object.keys(commands).sort(), flag).toEqual(having.sort())
      const usual = Object.values(commands).filter(([, reason]) => reason === undefined)
      expect(new Set(usual.map(([value]) => value)).size, flag).toBe(1)
      for (const [command, [value]] of Object.entries(commands)) {
        const { description } = find(command, flag)!
        expect({ command, flag, default: /\(default: (.*)\)$/.exec(description)?.[1] }).toEqual({
          ...{ command, flag, default: value },
        })
      }
    }
  })
})

import { describe, expect, it } from 'vitest'
import * as library from '../../../src/index.js'

const FUNCTIONS: Record<string, unknown> = { ...library }
const INPUTS = { model: 'm', dataset: 'd' }

type Call = [name: string, options: unknown, message: string, hint?: string]

/** Calls as JavaScript may make them, which no compiler sees. */
const CALLS: Call[] = [
  ['measureSimilarity', undefined, 'measureSimilarity takes an object of options, found undefined'],
  ['measureSimilarity', {}, 'measureSimilarity needs the option model'],
  ['measureSimilarity', { model: 'm' }, 'measureSimilarity needs the option dataset'],
  [
    'measureSimilarity',
    { ...INPUTS, layerToSkip: 4 },
    'measureSimilarity has no option layerToSkip',
    'did you mean layersToSkip?',
  ],
  [
    'measureSimilarity',
    { ...INPUTS, layersToSkip: '4' },
    "measureSimilarity: layersToSkip must be a number, found '4'",
  ],
  [
    'measureSimilarity',
    { ...INPUTS, dataset: ['a', 1] },
    'measureSimilarity: dataset must be a string or a list of strings, found a list',
  ],
  [
    'measureSimilarity',
    { ...INPUTS, device: 'gpu' },
    "measureSimilarity: device must be 'cpu' or 'cuda' or 'webgpu' or 'dml' or 'coreml', found 'gpu'",
  ],
  ['measureSimilarity', { ...INPUTS, signal: 5 }, 'measureSimilarity: signal must be an AbortSignal, found 5'],
  [
    'evaluatePerplexity',
    { ...INPUTS, candidates: [{ start: 1, end: 2 }] },
    'evaluatePerplexity: candidates must be a list of lists of blocks, as [[{ start: 4, end: 8 }]], found a list',
  ],
  ['evaluateAgainst', INPUTS, 'evaluateAgainst needs the option against'],
  ['measureTasks', { model: 'm', tasks: 'arc_easy' }, "measureTasks: tasks must be a list, found 'arc_easy'"],
  ['planLayers', { model: 'm', strategy: 'best', layersToSkip: 1 }, 'planLayers: strategy must be'],
  ['pruneModel', { model: 'm', output: 'o', plan: null }, 'pruneModel: plan must be an object, found null'],
  ['healModel', { ...INPUTS, output: 'o', step: 4 }, 'healModel has no option step', 'did you mean steps?'],
  [
    'makeRecipe',
    { ...INPUTS, unheardOf: true },
    'makeRecipe has no option unheardOf',
    'it has model, dataset, datasetColumn, datasetConfig, datasetSplit, maxLength and steps',
  ],
]

describe('wrong options are a UsageError that names the option', () => {
  it.each(CALLS)('%s(%j)', async (name, options, message, hint) => {
    const call = FUNCTIONS[name] as (options: unknown) => Promise<unknown>
    const error = await call(options).then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(library.UsageError)
    const found = error as library.UsageError
    expect(found.message.startsWith(message), found.message).toBe(true)
    if (hint !== undefined) expect(found.hint).toBe(hint)
  })

  it('of a function that answers at once too', () => {
    const slice = { model: 'm', layers: 4, removed: [{ start: 1, end: 2 }] }
    expect(() => library.formatSliceConfig(slice as never)).toThrow('formatSliceConfig needs the option dtype')
    expect(library.formatSliceConfig({ ...slice, dtype: null })).toContain('layer_range: [0, 1]')
  })
})

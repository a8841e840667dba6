import { METRICS } from '../../results/documents/metrics.js'
import type { OptionName } from './option-kinds.js'
import type { OptionKind } from './value-kinds.js'

// The options of each function of the library, and which of them the command of the same name has as flags. The help of
// the commands loads this file, so it imports no job. The types in functions.ts check that each list is complete.

export interface OptionList {
  /** Set by flags of the command. */
  flags: readonly OptionName[]
  /** Set only by code, or by a flag of another name. */
  given: readonly OptionName[]
  required: readonly OptionName[]
  /** Where a name means something else than in other functions. */
  kinds?: Partial<Record<OptionName, OptionKind>>
}

/** Which weights of which model are read. */
const WEIGHTS = ['model', 'revision', 'base', 'modelFile', 'format', 'dtype', 'ignoreConfigKey'] as const

/** Which texts of a dataset are read. */
const READING = [
  ...(['datasetColumn', 'datasetConfig', 'datasetSplit', 'datasetRevision'] as const),
  ...(['datasetSize', 'datasetSkip', 'shuffle', 'textLines'] as const),
] as const

const TRAINED_ON = ['dataset', ...READING, 'evaluateOn', 'evaluateSize'] as const
const RUNNING = ['batchSize', 'maxLength', 'threads', 'device'] as const
const TASK_DATA = ['taskData', 'limit', 'numFewshot'] as const

/** Options of any run on texts or tasks. */
const ANY_RUN = [...WEIGHTS, 'tokenizer', ...READING, ...RUNNING] as const
const RUN = [...ANY_RUN, 'dataset'] as const

/** What is exported, and where to. */
const EXPORTING = ['to', 'dtype', 'output', 'force', 'dryRun', 'check', 'modelfile', 'threads'] as const

const OPENING_HOOKS = ['onDownload', 'signal', 'onNote'] as const
const HOOKS = [...OPENING_HOOKS, 'onProgress'] as const
const RESUMING = ['resumeFrom', 'onSaved'] as const

export const INSPECT_LIST = {
  flags: WEIGHTS,
  given: ['tokenizer', ...OPENING_HOOKS],
  required: ['model'],
} as const satisfies OptionList

/** The options that every command with a model and texts has. */
export const RUN_LIST = {
  flags: RUN,
  given: HOOKS,
  required: ['model', 'dataset'],
} as const satisfies OptionList

export const SIMILARITY_LIST = {
  flags: [...RUN, 'layersToSkip', 'metric', 'tokens', 'until', 'shard', 'maxMemory'],
  given: [...HOOKS, ...(['resumeFrom', 'onPartialResult', 'onRoofline', 'onRate', 'onGram', 'onBatch'] as const)],
  required: ['model', 'dataset'],
} as const satisfies OptionList

export const VERIFICATION_LIST = {
  flags: ['verify', 'verifySize'],
  given: [
    ...WEIGHTS,
    ...(['tokenizer', 'datasetColumn', 'datasetConfig', 'datasetSplit', 'datasetRevision'] as const),
    ...(['shuffle', 'textLines', 'dataset', 'datasetSkip', 'distances', 'layersToSkip'] as const),
    ...RUNNING,
    ...RESUMING,
    ...HOOKS,
  ],
  required: ['model', 'dataset', 'distances', 'layersToSkip', 'verify', 'verifySize', 'datasetSkip'],
} as const satisfies OptionList

export const EVALUATION_LIST = {
  flags: [...ANY_RUN, 'maxMemory', 'shard'],
  given: ['dataset', 'candidates', 'leaveOut', 'onText', ...RESUMING, ...HOOKS],
  required: ['model', 'dataset'],
} as const satisfies OptionList

export const AGAINST_LIST = {
  flags: ANY_RUN,
  given: ['dataset', 'against', 'leaveOut', 'onText', ...RESUMING, ...HOOKS],
  required: ['model', 'dataset', 'against'],
} as const satisfies OptionList

export const TASK_LIST = {
  flags: TASK_DATA,
  given: [...ANY_RUN, 'tasks', 'candidates', 'onDocument', ...RESUMING, ...HOOKS],
  required: ['model', 'tasks'],
} as const satisfies OptionList

export const PLAN_LIST = {
  flags: [
    ...RUN,
    ...(['strategy', 'layersToSkip', 'objective', 'verify', 'verifySize', 'task'] as const),
    ...TASK_DATA,
  ],
  given: [...RESUMING, ...HOOKS],
  required: ['model', 'strategy', 'layersToSkip'],
} as const satisfies OptionList

const SWEEP_LIMITS = ['maxPerplexityRatio', 'maxSize', 'minTask'] as const

export const SWEEP_LIST = {
  flags: [
    ...RUN,
    ...(['sizes', 'verifySize', 'repair', 'full', 'maxMemory', 'shard'] as const),
    ...SWEEP_LIMITS,
    'samples',
    ...TASK_DATA,
  ],
  given: ['tasks', 'strategies', ...RESUMING, ...HOOKS],
  required: ['model', 'dataset'],
} as const satisfies OptionList

export const PRUNE_LIST = {
  flags: [...WEIGHTS, 'output', 'allDtypes', 'unproven', 'force', 'dryRun'],
  given: ['tokenizer', 'plan', 'replacements', 'card', ...HOOKS],
  required: ['model', 'output', 'plan'],
} as const satisfies OptionList

export const COMPARISON_LIST = {
  flags: [],
  given: [
    ...WEIGHTS,
    ...(['tokenizer', 'removed', 'trained', 'replacements', 'samples'] as const),
    ...(['maxMemory', 'threads', 'device'] as const),
    ...HOOKS,
  ],
  required: ['model', 'removed'],
  kinds: { samples: 'object' },
} as const satisfies OptionList

export const REPAIR_LIST = {
  // flags of prune, whose --device and the like are not the repair's
  flags: [
    ...(['dataset', ...READING, 'batchSize'] as const),
    ...(['maxLength', 'evaluateOn', 'evaluateSize', 'tokenizer', 'threads', 'maxMemory'] as const),
  ],
  given: [
    ...WEIGHTS,
    ...(['device', 'removed', 'onPhases', 'evaluateFirst', 'leaveOut'] as const),
    ...RESUMING,
    ...HOOKS,
  ],
  required: ['model', 'dataset', 'removed'],
} as const satisfies OptionList

export const EXPORT_LIST = {
  flags: ['model', 'revision', 'base', 'modelFile', 'format', 'ignoreConfigKey', 'tokenizer', ...EXPORTING],
  given: ['removed', 'command', 'name', ...HOOKS],
  required: ['model', 'output', 'to'],
  kinds: { dtype: 'texts' },
} as const satisfies OptionList

export const HEAL_LIST = {
  flags: [
    ...(['model', 'revision', 'ignoreConfigKey', ...TRAINED_ON, ...RUNNING] as const),
    ...(['output', 'dtype', 'targets', 'teacher', 'teacherStates', 'whole', 'adapter', 'force', 'resume'] as const),
    ...(['layersAtOnce', 'maxMemory', 'steps', 'minutes', 'microBatchSize', 'learningRate'] as const),
    ...(['warmupSteps', 'weightDecay', 'clip', 'seed', 'evaluateEvery', 'patience'] as const),
    ...(['wholeMatrices', 'rank', 'alpha'] as const),
  ],
  given: ['base', 'tokenizer', 'command', 'named', ...HOOKS],
  required: ['model', 'dataset', 'output'],
  kinds: { dtype: ['fp32', 'bf16', 'fp16'] },
} as const satisfies OptionList

export const RECIPE_LIST = {
  flags: ['model', 'dataset', 'datasetColumn', 'datasetConfig', 'datasetSplit', 'maxLength', 'steps'],
  given: [],
  required: ['model', 'dataset'],
} as const satisfies OptionList

export const MAKE_PLAN_LIST = {
  flags: [],
  given: ['model', 'strategy', 'removed', 'scores', 'dataset', 'texts'],
  required: ['model', 'strategy', 'removed'],
  kinds: { model: 'object', strategy: 'text', dataset: 'object' },
} as const satisfies OptionList

export const SLICE_LIST = {
  flags: [],
  given: ['model', 'revision', 'layers', 'removed', 'dtype', 'problem'],
  required: ['model', 'layers', 'removed', 'dtype'],
  kinds: { dtype: 'textOrNull' },
} as const satisfies OptionList

export const EXPECTATION_LIST = {
  flags: ['layersToSkip', 'expect', 'maxDistance', 'minConfidence', ...SWEEP_LIMITS, 'maxKl'],
  given: [],
  required: [],
} as const satisfies OptionList

export const LIMIT_LIST = { flags: SWEEP_LIMITS, given: [], required: [] } as const satisfies OptionList

export const PLOT_LIST = {
  flags: ['kind', 'scale', 'metric', 'layersToSkip'],
  given: ['from', 'format'],
  required: ['from'],
  kinds: { metric: METRICS, format: ['svg', 'png'] },
} as const satisfies OptionList

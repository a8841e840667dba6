import type { ModelOptions } from '../../engine/model.js'
import { DEVICES } from '../../engine/sessions/device.js'
import { DTYPES, FORMATS } from '../../files/checkpoint/onnx-files.js'
import { METRICS } from '../../results/documents/metrics.js'
import type { Plan } from '../../results/documents/plan.js'
import type { SweepLimits } from '../../results/documents/sweep-result.js'
import type { SliceConfigOptions } from '../../results/mergekit.js'
import type { AgainstOptions } from '../evaluate/against.js'
import type { EvaluationOptions } from '../evaluate/perplexity.js'
import type { HealOptions } from '../heal/heal-work.js'
import type { ComparisonOptions } from '../prune/compare-pruned.js'
import type { PruneOptions } from '../prune/prune.js'
import type { RecipeOptions } from '../recipe/recipe.js'
import type { RepairModelOptions } from '../repair/repair-model.js'
import type { Expectations } from '../similarity/check-result.js'
import type { SimilarityOptions } from '../similarity/options.js'
import type { PlanOptions } from '../strategies/plan-options.js'
import { STRATEGIES } from '../strategies/strategy.js'
import type { VerificationOptions } from '../strategies/verify-blocks.js'
import type { SweepOptions } from '../sweep/options.js'
import type { TaskEvaluationOptions } from '../tasks/measure-tasks.js'
import { may, must, type OptionSpecs } from './check-options.js'
import type { PlotOptions } from './plot.js'

const HOOKS = { signal: may('signal'), onNote: may('function') }

const SOURCE = {
  model: must('text'),
  base: may('text'),
  revision: may('text'),
  tokenizer: may('text'),
  ignoreConfigKey: may('list'),
  onDownload: may('function'),
  ...HOOKS,
}

const MODEL = {
  ...SOURCE,
  dtype: may(DTYPES),
  modelFile: may('text'),
  format: may(FORMATS),
}

const READING = {
  datasetColumn: may('text'),
  datasetConfig: may('text'),
  datasetSplit: may('text'),
  datasetRevision: may('text'),
  datasetSize: may('number'),
  shuffle: may('number'),
  textLines: may('flag'),
}

const DATASET = { ...READING, dataset: must('texts') }

const RUNNING = {
  batchSize: may('number'),
  maxLength: may('number'),
  threads: may('number'),
  device: may(DEVICES),
  onProgress: may('function'),
}

const RUN = { ...MODEL, ...DATASET, ...RUNNING }

const EVALUATION = { ...RUN, datasetSkip: may('number'), onText: may('function') }

const TASK_DATA = { taskData: may('object'), limit: may('number'), numFewshot: may('number') }

export const MODEL_SPECS: OptionSpecs<ModelOptions> = MODEL

export const SIMILARITY_SPECS: OptionSpecs<SimilarityOptions> = {
  ...RUN,
  layersToSkip: may('number'),
  metric: may('texts'),
  tokens: may('text'),
  until: may('number'),
  shard: may('object'),
  maxMemory: may('number'),
  resumeFrom: may('object'),
  onPartialResult: may('function'),
  onRoofline: may('function'),
  onRate: may('function'),
  onGram: may('function'),
  onBatch: may('function'),
}

const { datasetSize: _, ...RUN_OF_ANY_SIZE } = RUN

export const VERIFICATION_SPECS: OptionSpecs<VerificationOptions> = {
  ...RUN_OF_ANY_SIZE,
  distances: must('object'),
  layersToSkip: must('number'),
  verify: must('number'),
  verifySize: must('number'),
  datasetSkip: must('number'),
}

export const EVALUATION_SPECS: OptionSpecs<EvaluationOptions> = {
  ...EVALUATION,
  candidates: may('candidates'),
  maxMemory: may('number'),
  shard: may('object'),
}

export const AGAINST_SPECS: OptionSpecs<AgainstOptions> = { ...EVALUATION, against: must('text') }

export const TASK_SPECS: OptionSpecs<TaskEvaluationOptions> = {
  ...MODEL,
  ...READING,
  ...RUNNING,
  ...TASK_DATA,
  tasks: must('list'),
  candidates: may('candidates'),
  onDocument: may('function'),
}

export const PLAN_SPECS: OptionSpecs<PlanOptions> = {
  ...MODEL,
  ...READING,
  ...RUNNING,
  ...TASK_DATA,
  strategy: must(STRATEGIES),
  layersToSkip: must('number'),
  dataset: may('texts'),
  objective: may('text'),
  verify: may('number'),
  verifySize: may('number'),
  task: may('text'),
}

export const SWEEP_SPECS: OptionSpecs<SweepOptions> = {
  ...RUN,
  ...TASK_DATA,
  tasks: may('list'),
  strategies: may('list'),
  sizes: may('numbers'),
  verifySize: may('number'),
  repair: may('flag'),
  full: may('flag'),
  shard: may('object'),
  maxPerplexityRatio: may('number'),
  maxSize: may('number'),
  minTask: may('object'),
  samples: may('number'),
  maxMemory: may('number'),
  resumeFrom: may('object'),
  onSaved: may('function'),
}

export const PRUNE_SPECS: OptionSpecs<PruneOptions> = {
  ...MODEL,
  output: must('text'),
  plan: must('object'),
  allDtypes: may('flag'),
  unproven: may('flag'),
  force: may('flag'),
  dryRun: may('flag'),
  replacements: may('map'),
  card: may('object'),
  onProgress: may('function'),
}

export const COMPARISON_SPECS: OptionSpecs<ComparisonOptions> = {
  ...MODEL,
  removed: must('blocks'),
  trained: may('text'),
  replacements: may('map'),
  samples: may('object'),
  maxMemory: may('number'),
  threads: may('number'),
  device: may(DEVICES),
  onProgress: may('function'),
}

export const REPAIR_SPECS: OptionSpecs<RepairModelOptions> = {
  ...RUN,
  removed: must('blocks'),
  maxMemory: may('number'),
  onPhases: may('function'),
  evaluateFirst: may('flag'),
  evaluateOn: may('texts'),
  evaluateSize: may('number'),
}

export const HEAL_SPECS: OptionSpecs<HealOptions> = {
  ...SOURCE,
  ...DATASET,
  ...RUNNING,
  output: must('text'),
  dtype: may(['fp32', 'bf16', 'fp16']),
  targets: may('list'),
  teacher: may('text'),
  adapter: may('flag'),
  layersAtOnce: may('number'),
  maxMemory: may('number'),
  resume: may('flag'),
  force: may('flag'),
  command: may('text'),
  named: may('text'),
  teacherStates: may('number'),
  evaluateOn: may('texts'),
  evaluateSize: may('number'),
  steps: may('number'),
  minutes: may('number'),
  microBatchSize: may('number'),
  learningRate: may('number'),
  warmupSteps: may('number'),
  weightDecay: may('number'),
  clip: may('number'),
  seed: may('number'),
  evaluateEvery: may('number'),
  patience: may('number'),
  wholeMatrices: may('flag'),
  rank: may('number'),
  alpha: may('number'),
}

export const RECIPE_SPECS: OptionSpecs<RecipeOptions> = {
  model: must('text'),
  dataset: must('texts'),
  datasetColumn: may('text'),
  datasetConfig: may('text'),
  datasetSplit: may('text'),
  maxLength: may('number'),
  steps: may('number'),
}

/** What a plan is made from. */
export type MakePlanOptions = Pick<Plan, 'model' | 'strategy' | 'removed' | 'scores' | 'dataset'>

export const MAKE_PLAN_SPECS: OptionSpecs<MakePlanOptions> = {
  model: must('object'),
  strategy: must('text'),
  removed: must('blocks'),
  scores: may('object'),
  dataset: may('object'),
}

export const SLICE_SPECS: OptionSpecs<SliceConfigOptions> = {
  model: must('text'),
  revision: may('text'),
  layers: must('number'),
  removed: must('blocks'),
  dtype: must('textOrNull'),
  problem: may('text'),
}

export const EXPECTATION_SPECS: OptionSpecs<Expectations> = {
  layersToSkip: may('number'),
  expect: may('block'),
  maxDistance: may('number'),
  minConfidence: may('number'),
}

export const LIMIT_SPECS: OptionSpecs<SweepLimits> = {
  maxPerplexityRatio: may('number'),
  maxSize: may('number'),
  minTask: may('object'),
}

export const PLOT_SPECS: OptionSpecs<PlotOptions> = {
  from: must('object'),
  kind: may(['curve', 'heatmap']),
  scale: may(['row', 'absolute']),
  metric: may(METRICS),
  layersToSkip: may('number'),
  format: may(['svg', 'png']),
}

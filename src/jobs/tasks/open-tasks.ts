import { LayerpruneError } from '../../base/errors.js'
import type { Model } from '../../engine/model.js'
import { NON_FINITE_HINT } from '../../engine/sessions/non-finite.js'
import { takesTrees } from '../../model/graph/tree-attention.js'
import type { Block } from '../../model/layers/block.js'
import { normalizeBlocks } from '../../model/layers/blocks.js'
import type { TaskResult, TaskSettings } from '../../results/documents/task-result.js'
import { TokenizerProcess } from '../../texts/tokens/tokenizer-process.js'
import type { OnAdvance } from '../evaluate/batch-work.js'
import type { Evaluator } from '../evaluate/evaluator.js'
import { mostTokens } from '../run/length-limits.js'
import { chooseRunSettings, type RunSettings } from '../run/run-options.js'
import { encodeTasks, type PreparedTasks, type ReadTasks, readTasks, type TaskOptions } from './prepare-tasks.js'
import { scoreTasks, type TaskScores } from './score-tasks.js'
import { judgeTasks, summarizeTasks, type ValuesByTask } from './task-figures.js'

export interface OpenTasksOptions extends TaskOptions {
  /** Texts run at once; the fastest number if omitted. */
  batchSize?: number | undefined
  /** Maximum tokens of a context and its continuation; the model's limit if omitted. */
  maxLength?: number | undefined
}

/** Results of tasks for a model, whole and cut. */
export interface MeasuredTasks extends Pick<TaskResult, 'tasks' | 'candidates'> {
  /** The whole model's, then each candidate's. */
  scores: TaskScores[]
  values: ValuesByTask[]
}

/** Tokens that a model can take if its config does not say, as lm-evaluation-harness has it. */
const DEFAULT_MAX_LENGTH = 2048

interface TaskRun {
  /** The whole model's. */
  layers: number
  /** Texts run at once; the fastest number if undefined. */
  batchSize: number | undefined
  /** Whether texts may be prefix trees. */
  trees: boolean
}

/** Tasks ready to run on a model, whole or without some of its layers. */
export class OpenTasks {
  readonly prepared: PreparedTasks
  readonly settings: TaskSettings
  readonly run: TaskRun

  constructor(prepared: PreparedTasks, settings: TaskSettings, run: TaskRun) {
    this.prepared = prepared
    this.settings = settings
    this.run = run
  }

  get documents(): number {
    return this.prepared.tasks.reduce((sum, { documents }) => sum + documents.length, 0)
  }

  /**
   * Measures the whole model and candidates in one run.
   * @param candidates  blocks to remove, for each
   * @param onAdvance   called after each part of the work
   * @throws UsageError if a block does not fit the model
   * @throws LayerpruneError if the whole model gives a choice no finite likelihood
   */
  async measure(
    evaluator: Pick<Evaluator, 'scoreContinuations'>,
    candidates: Block[][],
    onAdvance?: OnAdvance,
  ): Promise<MeasuredTasks> {
    const removed = candidates.map((blocks) => normalizeBlocks(blocks, this.run.layers))
    const options = { batchSize: this.run.batchSize, onAdvance }
    const scores = await scoreTasks(evaluator, this.prepared, [[], ...removed], options)
    const values = scores.map((ofModel) => judgeTasks(this.prepared, ofModel))
    return { ...summarize(this.prepared, values, removed), scores, values }
  }
}

/**
 * Reads the documents of tasks and tokenises them for a model.
 * @param read  the documents, if they have been read
 * @throws UsageError if there is no such task, or an option does not fit the model
 * @throws LayerpruneError if a task or its documents cannot be used
 */
export async function openTasks(model: Model, options: OpenTasksOptions, read?: ReadTasks): Promise<OpenTasks> {
  const { maxLength, batchSize } = chooseSettings(options, model)
  const tokenizer = new TokenizerProcess(model.tokenizer, options.signal)
  try {
    const prefix = await tokenizer.findPrefix()
    const encode = (text: string) => tokenizer.encode(text, Infinity)
    const { encodePlain } = tokenizer
    const documents = read ?? (await readTasks(options))
    const trees = takesTrees(model.decoder)
    const prepared = await encodeTasks(documents, { prefix, encode, encodePlain }, { maxLength, trees })
    const settings = describeSettings(prepared, options, maxLength)
    return new OpenTasks(prepared, settings, { layers: model.config.layers, batchSize, trees })
  } finally {
    tokenizer.close()
  }
}

function chooseSettings(
  { batchSize, maxLength, onNote }: OpenTasksOptions,
  model: Model,
): { maxLength: number; batchSize: RunSettings['batchSize'] | undefined } {
  const limit = mostTokens(model)
  const longest = maxLength ?? (limit === Infinity ? DEFAULT_MAX_LENGTH : limit)
  const settings = chooseRunSettings({ batchSize, maxLength: longest }, model, onNote)
  const isFree = batchSize === undefined && !model.precision.sharesScaleInBatch
  return { maxLength: settings.maxLength, batchSize: isFree ? undefined : settings.batchSize }
}

function describeSettings(
  { requests }: PreparedTasks,
  { limit, numFewshot }: OpenTasksOptions,
  maxLength: number,
): TaskSettings {
  return {
    maxLength,
    truncated: requests.filter(({ cut }) => cut > 0).length,
    ...(limit === undefined ? {} : { limit }),
    ...(numFewshot === undefined ? {} : { numFewshot }),
  }
}

function summarize(
  prepared: PreparedTasks,
  [whole, ...cut]: ValuesByTask[],
  removed: Block[][],
): Pick<TaskResult, 'tasks' | 'candidates'> {
  const tasks = summarizeTasks(prepared, whole!)
  const failed = Object.keys(tasks).find((name) => tasks[name] === null)
  if (failed !== undefined) {
    throw new LayerpruneError(`the whole model's likelihood of a choice of ${failed} is not finite`, {
      hint: NON_FINITE_HINT,
    })
  }
  return {
    tasks: tasks as TaskResult['tasks'],
    candidates: removed.map((blocks, index) => ({
      removed: blocks,
      tasks: summarizeTasks(prepared, cut[index]!, whole!),
    })),
  }
}

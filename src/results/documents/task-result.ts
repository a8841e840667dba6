import type { PairedDifference } from '../../base/statistics/paired-difference.js'
import type { Block } from '../../model/layers/block.js'
import type { RunRecord } from './run-record.js'
import type { SCHEMAS } from './schemas.js'
import type { SimilarityResult } from './similarity-result.js'

/** What is measured of a document, in lm-evaluation-harness's names. */
export const TASK_METRICS = ['acc', 'acc_norm', 'perplexity'] as const
export type TaskMetric = (typeof TASK_METRICS)[number]

/** Values by metric: those that the task has. */
type ByMetric<T> = Partial<Record<TaskMetric, T>>

/** How a model does on a task, or on all tasks of a group. */
export interface TaskFigures extends ByMetric<number> {
  /** Over documents; null for a single one. */
  standardError: ByMetric<number | null>
  documents: number
  /** Examples before each document. */
  fewshot: number
  /** Only for a group: its tasks, whose documents have equal weight. */
  tasks?: string[]
}

/** How a model does from which layers are removed. */
export interface CutTaskFigures extends TaskFigures {
  /** By how much it is above the whole model, over the same documents. */
  difference: ByMetric<PairedDifference>
}

/** How tasks are put to a model. */
export interface TaskSettings {
  /** Tokens that a context and its continuation may have. */
  maxLength: number
  /** Choices whose context was cut at its start to that. */
  truncated: number
  /** Documents of each task that were asked for. */
  limit?: number
  numFewshot?: number
}

/** What `evaluate --task --json` prints without a dataset. Keys may be added, none changes meaning. */
export interface TaskResult {
  schema: typeof SCHEMAS.tasks
  model: SimilarityResult['model']
  taskSettings: TaskSettings
  /** Figures of the whole model by task name. */
  tasks: Record<string, TaskFigures>
  candidates: TaskCandidate[]
  /** What made it; omitted by the library, which writes no file. */
  run?: RunRecord | undefined
  layerpruneVersion: string
}

export interface TaskCandidate {
  removed: Block[]
  /** By name; null if the model gives a choice no finite likelihood. */
  tasks: Record<string, CutTaskFigures | null>
  /** Why `prune` cannot write the model without these layers; omitted if it can. */
  notWritable?: string
}

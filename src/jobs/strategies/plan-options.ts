import type { ModelOptions } from '../../engine/model.js'
import type { Plan } from '../../results/documents/plan.js'
import type { SelectionOptions } from '../../texts/data/dataset-options.js'
import type { BatchOptions } from '../run/run-options.js'
import type { ResumeOptions } from '../run/saved-work.js'
import type { TaskOptions } from '../tasks/prepare-tasks.js'
import type { PlanMemory, PlanWork } from './plan-memory.js'
import type { Objective, Strategy } from './strategy.js'

/** Options of the strategy `task` and of objectives `task:NAME`, as in `evaluate --task`. */
export interface TaskPlanOptions extends Partial<Pick<TaskOptions, 'taskData' | 'limit' | 'numFewshot'>> {
  /** Name of a built-in task, or a YAML file. */
  task?: string | undefined
}

export interface PlanOptions
  extends ModelOptions,
    SelectionOptions,
    BatchOptions,
    TaskPlanOptions,
    ResumeOptions<PlanWork> {
  strategy: Strategy
  /** Number of layers to remove, 1 to layers - 1. */
  layersToSkip: number
  /** Not needed for `deepest` and `task`. */
  dataset?: string | string[] | undefined
  /** `greedy-perplexity` and `repaired`: the loss to minimize; the perplexity if omitted. */
  objective?: Objective | undefined
  /** `verified`: number of nearest blocks to check by perplexity; 8 if omitted. */
  verify?: number | undefined
  /** `verified`: number of texts to check on, after the `datasetSize` texts of the distances; 32 if omitted. */
  verifySize?: number | undefined
}

/** Options of a plan under way. */
export interface PlanningOptions extends Omit<PlanOptions, keyof ResumeOptions> {
  memory: PlanMemory
}

/** Options of a plan that is made from texts. */
export type TextPlanOptions = PlanningOptions & { dataset: string | string[]; datasetSize: number }

export type Found = Pick<Plan, 'removed' | 'scores' | 'dataset' | 'texts'>

import { UsageError } from '../../base/errors.js'
import { nameOption } from '../../base/name-option.js'
import { locateModel } from '../../engine/model.js'
import { assertBlockSize } from '../../model/layers/blocks.js'
import { makePlan, type Plan } from '../../results/documents/plan.js'
import { assertCounts, assertRunCounts } from '../run/run-options.js'
import { deepestBlock } from './choose-layers.js'
import { planByDistance, planByInfluence, planVerified } from './plan-by-distance.js'
import { planByRepairedSearch, planBySearch, searchByTask, searchRepairedByTask } from './plan-by-search.js'
import { assertNoTexts, planByTask } from './plan-by-task.js'
import type { Found, PlanOptions, TextPlanOptions } from './plan-options.js'
import { type Strategy, taskOf } from './strategy.js'
import { VERIFIED_DISTANCE_TEXTS } from './verification-sizes.js'

interface Planner {
  /** The option that only such strategies take. */
  takes?: 'task' | 'objective'
  plan: (options: PlanOptions, layers: number) => Found | Promise<Found>
}

const PLANNERS: Record<Strategy, Planner> = {
  deepest: { plan: ({ layersToSkip }, layers) => ({ removed: [deepestBlock(layers, layersToSkip)] }) },
  angular: { plan: onTexts(128, planByDistance) },
  'block-influence': { plan: onTexts(128, planByInfluence) },
  verified: { plan: onTexts(VERIFIED_DISTANCE_TEXTS, planVerified) },
  'greedy-perplexity': {
    takes: 'objective',
    plan: (options) =>
      taskOf(options.objective) === undefined ? onTexts(32, planBySearch)(options) : searchByTask(options),
  },
  repaired: {
    takes: 'objective',
    plan: onTexts(64, (options) =>
      taskOf(options.objective) === undefined ? planByRepairedSearch(options) : searchRepairedByTask(options),
    ),
  },
  task: { takes: 'task', plan: planOnTask },
}

/**
 * Chooses the layers of a model to remove, by a named strategy.
 * @throws UsageError if an option is out of range or does not fit the model
 * @throws InterruptedError if `signal` was aborted
 * @throws LayerpruneError if model or dataset cannot be used
 */
export async function planLayers(options: PlanOptions): Promise<Plan> {
  const { strategy, layersToSkip: n, verify, verifySize, limit } = options
  assertRunCounts(options)
  assertCounts({ 'layers to skip': n, 'blocks to verify': verify, 'texts to verify on': verifySize, limit })
  const { id, config, adapter } = await locateModel({ ...options, onNote: undefined })
  assertBlockSize(n, config.layers)
  assertTaken(options)
  const found = await PLANNERS[strategy].plan(options, config.layers)
  const base = adapter && { id: adapter.base, revision: adapter.baseRevision }
  const model = { id, layers: config.layers, family: config.modelType, base }
  const { removed, scores, dataset: texts } = found
  return makePlan({ model, strategy, removed, scores, dataset: texts })
}

/** @throws UsageError if an option is given that the strategy does not take */
function assertTaken({ strategy, task, objective }: PlanOptions): void {
  const { takes } = PLANNERS[strategy]
  if (takes !== 'task' && task !== undefined) throw new UsageError('`task` requires `strategy: task`')
  if (takes !== 'objective' && objective !== undefined) {
    throw new UsageError('`objective` requires `strategy: greedy-perplexity` or repaired')
  }
}

/** Requires texts, and reads so many of them unless the options say how many. */
function onTexts(
  defaultTexts: number,
  plan: (options: TextPlanOptions) => Promise<Found>,
): (options: PlanOptions) => Promise<Found> {
  return (options) => {
    const { strategy, dataset, datasetSize = defaultTexts } = options
    if (dataset === undefined || dataset.length === 0) {
      throw new UsageError(`the strategy ${strategy} needs texts: give ${nameOption('dataset')}`)
    }
    return plan({ ...options, dataset, datasetSize })
  }
}

function planOnTask(options: PlanOptions): Promise<Found> {
  if (options.task === undefined) throw new UsageError('the strategy task needs a task: give `task`')
  assertNoTexts(options, '`strategy: task`')
  return planByTask(options, options.task)
}

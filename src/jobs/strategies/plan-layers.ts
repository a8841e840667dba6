import { UsageError } from '../../base/errors.js'
import { nameOption } from '../../base/name-option.js'
import { locateModel, openModel } from '../../engine/model.js'
import { assertBlockSize } from '../../model/layers/blocks.js'
import { makePlan, type Plan } from '../../results/documents/plan.js'
import { describeModel } from '../run/describe-model.js'
import { interruptible } from '../run/interruptible.js'
import { assertCounts, assertRunCounts } from '../run/run-options.js'
import { identifyWork } from '../run/saved-work.js'
import { deepestBlock } from './choose-layers.js'
import { planByDistance, planByInfluence, planVerified } from './plan-by-distance.js'
import { planByRepairedSearch, planBySearch, searchByTask, searchRepairedByTask } from './plan-by-search.js'
import { assertNoTexts, planByTask } from './plan-by-task.js'
import { PlanMemory } from './plan-memory.js'
import type { Found, PlanningOptions, PlanOptions, TextPlanOptions } from './plan-options.js'
import { type Strategy, taskOf } from './strategy.js'
import { VERIFIED_DISTANCE_TEXTS } from './verification-sizes.js'

interface Planner {
  /** Whether no model is run, so that there is nothing to resume. */
  runsNothing?: boolean
  /** The option that only such strategies take. */
  takes?: 'task' | 'objective'
  plan: (options: PlanningOptions, layers: number) => Found | Promise<Found>
}

const PLANNERS: Record<Strategy, Planner> = {
  deepest: {
    runsNothing: true,
    plan: ({ layersToSkip }, layers) => ({ removed: [deepestBlock(layers, layersToSkip)] }),
  },
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
export function planLayers(options: PlanOptions): Promise<Plan> {
  return interruptible(options.signal, 'before the first layer was chosen', () => plan(options))
}

async function plan(options: PlanOptions): Promise<Plan> {
  const { resumeFrom, onSaved, ...given } = options
  const { strategy, layersToSkip: n, verify, verifySize, limit } = given
  assertRunCounts(options)
  assertCounts({ 'layers to skip': n, 'blocks to verify': verify, 'texts to verify on': verifySize, limit })
  const { id, config, adapter } = await locateModel({ ...options, onNote: undefined })
  assertBlockSize(n, config.layers)
  assertTaken(options)
  const found = await PLANNERS[strategy].plan({ ...given, memory: await openMemory(options) }, config.layers)
  const base = adapter && { id: adapter.base, revision: adapter.baseRevision }
  const model = { id, layers: config.layers, family: config.modelType, base }
  return makePlan({ model, strategy, ...found })
}

/** @throws LayerpruneError if what is resumed is of another plan */
async function openMemory(options: PlanOptions): Promise<PlanMemory> {
  const { resumeFrom, onSaved, ...named } = options
  const isKept = resumeFrom !== undefined || onSaved !== undefined
  if (!isKept || PLANNERS[options.strategy].runsNothing) return new PlanMemory({}, {})
  const model = await openModel({ ...options, onNote: undefined })
  const { fingerprint } = await describeModel(model, options)
  return new PlanMemory(identifyWork(fingerprint, named), { resumeFrom, onSaved })
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
): (options: PlanningOptions) => Promise<Found> {
  return (options) => {
    const { strategy, dataset, datasetSize = defaultTexts } = options
    if (dataset === undefined || dataset.length === 0) {
      throw new UsageError(`the strategy ${strategy} needs texts: give ${nameOption('dataset')}`)
    }
    return plan({ ...options, dataset, datasetSize })
  }
}

function planOnTask(options: PlanningOptions): Promise<Found> {
  if (options.task === undefined) throw new UsageError('the strategy task needs a task: give `task`')
  assertNoTexts(options, '`strategy: task`')
  return planByTask(options, options.task)
}

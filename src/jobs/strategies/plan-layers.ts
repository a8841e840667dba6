import { InterruptedError, UsageError } from '../../base/errors.js'
import { formatDistance, formatQuantity } from '../../base/format-numbers.js'
import { type OnProgress, renamePhase } from '../../base/progress.js'
import { locateModel, type Model, type ModelOptions } from '../../engine/model.js'
import { findFixedBatch } from '../../engine/sessions/runs.js'
import { assertBlockSize } from '../../model/layers/blocks.js'
import { makePlan, type Plan } from '../../results/documents/plan.js'
import { planVerifiedBlock } from '../../results/documents/verified-plan.js'
import type { SelectionOptions } from '../../texts/data/dataset.js'
import type { ReadText } from '../../texts/tokens/windows.js'
import { type Evaluator, openEvaluator } from '../evaluate/evaluator.js'
import { assertCounts, assertRunCounts, type BatchOptions } from '../run/run-options.js'
import { measureSimilarity } from '../similarity/measure.js'
import { type Calibration, openCalibration } from './calibration.js'
import { asBlocks, deepestBlock, lowestLayers } from './choose-layers.js'
import { type LossStep, measureDivergence, removeByLoss } from './greedy.js'
import { planByTask, type TaskPlanOptions } from './plan-by-task.js'
import { openRepairingEvaluator } from './repairing-evaluator.js'
import { type Objective, type Strategy, taskOf } from './strategy.js'
import {
  DEFAULT_VERIFICATION_TEXTS,
  DEFAULT_VERIFIED_BLOCKS,
  VERIFIED_DISTANCE_TEXTS,
} from './verification-sizes.js'
import { verifyBlocks } from './verify-blocks.js'

export interface PlanOptions extends ModelOptions, SelectionOptions, BatchOptions, TaskPlanOptions {
  strategy: Strategy
  /** Number of layers to remove, 1 to layers - 1. */
  layersToSkip: number
  /** Not needed for `deepest` and `task`. */
  dataset?: string | string[] | undefined
  /** `greedy-perplexity` and `repaired`: what they keep low; the perplexity if omitted. */
  objective?: Objective | undefined
  /** `verified`: blocks that are checked by perplexity, those of the smallest distances; 8 if omitted. */
  verify?: number | undefined
  /** `verified`: texts for that, which follow the `datasetSize` texts of the distances; 32 if omitted. */
  verifySize?: number | undefined
}

const DEFAULT_TEXTS: Record<Exclude<Strategy, 'deepest' | 'task'>, number> = {
  angular: 128,
  'block-influence': 128,
  'greedy-perplexity': 32,
  verified: VERIFIED_DISTANCE_TEXTS,
  repaired: 64,
}

type Found = Pick<Plan, 'removed' | 'scores' | 'dataset'>
type Options = PlanOptions & { dataset: string | string[]; datasetSize: number }

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
  const found = await findWithoutTexts(options, config.layers)
  const base = adapter && { id: adapter.base, revision: adapter.baseRevision }
  const model = { id, layers: config.layers, family: config.modelType, base }
  const { removed, scores, dataset: texts } = found
  return makePlan({ model, strategy, removed, scores, dataset: texts })
}

async function findWithoutTexts(options: PlanOptions, layers: number): Promise<Found> {
  const { strategy, layersToSkip: n, dataset, datasetSize, objective } = options
  if (strategy !== 'task' && options.task !== undefined)
    throw new UsageError('--task goes with --strategy task')
  if (objective !== undefined && strategy !== 'greedy-perplexity' && strategy !== 'repaired') {
    throw new UsageError('--objective goes with --strategy greedy-perplexity or repaired')
  }
  if (strategy === 'deepest') return { removed: [deepestBlock(layers, n)] }
  if (strategy === 'task') {
    if (options.task === undefined) throw new UsageError('the strategy task needs a task: give --task')
    assertNoTexts(options, '--strategy task')
    return planByTask(options, options.task)
  }
  const task = taskOf(objective)
  if (task !== undefined && strategy === 'greedy-perplexity') return searchByTask(options, task)
  return findLayers({ ...options, ...requireTexts(strategy, dataset, datasetSize) })
}

function assertNoTexts({ dataset = [], datasetSize }: PlanOptions, chosenBy: string): void {
  const flag = dataset.length > 0 ? '--dataset' : datasetSize === undefined ? undefined : '--dataset-size'
  if (flag === undefined) return
  throw new UsageError(`${chosenBy} chooses on the documents of the task: omit ${flag}`)
}

function requireTexts(
  strategy: Exclude<Strategy, 'deepest' | 'task'>,
  dataset: PlanOptions['dataset'],
  datasetSize = DEFAULT_TEXTS[strategy],
) {
  if (dataset === undefined || dataset.length === 0) {
    throw new UsageError(`the strategy ${strategy} needs texts: give --dataset`)
  }
  return { dataset, datasetSize }
}

async function findLayers(options: Options): Promise<Found> {
  switch (options.strategy) {
    case 'block-influence':
      return planByInfluence(options)
    case 'verified':
      return planVerified(options)
    case 'greedy-perplexity':
    case 'repaired': {
      const task = taskOf(options.objective)
      return task === undefined ? planBySearch(options) : searchRepairedByTask(options, task)
    }
    default:
      return planByDistance(options)
  }
}

async function planByDistance(options: Options): Promise<Found> {
  const { best, dataset, settings, tokens } = await measureSimilarity(options)
  const { distance, standardError } = best
  return {
    removed: [best],
    scores: { distance, standardError, tokens },
    dataset: describeTexts(dataset, { texts: dataset.samples, settings }, options),
  }
}

async function planVerified(options: Options): Promise<Plan> {
  const { verify = DEFAULT_VERIFIED_BLOCKS, verifySize = DEFAULT_VERIFICATION_TEXTS, onProgress } = options
  const next = `perplexity of ${formatQuantity(verify, 'block')}`
  const result = await measureSimilarity({
    ...options,
    onProgress: renamePhase(onProgress, 'distances', { next }),
  })
  const verification = await verifyBlocks({
    ...options,
    distances: result.distances,
    verify,
    verifySize,
    datasetSkip: options.datasetSize,
  })
  return planVerifiedBlock(result, verification)
}

/** The influence of a layer is that of a block of one, over all tokens (Men et al. 2024, ShortGPT, arXiv 2403.03853). */
async function planByInfluence(options: Options): Promise<Found> {
  const { distances, dataset, settings } = await measureSimilarity({
    ...options,
    metric: 'block-influence',
    tokens: 'all',
    layersToSkip: 1,
  })
  const influence = distances[1]!
  return {
    removed: asBlocks(lowestLayers(influence, options.layersToSkip)),
    scores: { blockInfluence: influence },
    dataset: describeTexts(dataset, { texts: dataset.samples, settings }, options),
  }
}

async function planBySearch(options: Options): Promise<Found> {
  const calibration = await openCalibration(options)
  const { score, batches, open } = chooseSearch(options, calibration)
  const steps = await searchGreedily(options, calibration.model, batches, open)
  return {
    removed: asBlocks(steps.map(({ layer }) => layer)),
    scores: describeSteps(steps, score, options.objective),
    dataset: describeTexts(calibration.dataset, calibration, options),
  }
}

/** Measures cuts as they are, on the documents of a task alone. */
async function searchByTask(options: PlanOptions, task: string): Promise<Found> {
  const { objective } = options
  assertNoTexts(options, `--objective ${objective}`)
  const { scores, ...found } = await planByTask(options, task)
  return { ...found, scores: { objective, ...scores } }
}

/** Measures cuts on the documents of a task, with repairs that are fitted on all texts. */
async function searchRepairedByTask(options: Options, task: string): Promise<Found> {
  const calibration = await openCalibration(options)
  const { model, batches } = calibration
  const { scores, dataset, ...found } = await planByTask(options, task, async () => ({
    model,
    open: () => openRepairingEvaluator(model, batches, chooseSession(options)),
  }))
  return {
    ...found,
    scores: { objective: options.objective, ...scores },
    dataset: { ...dataset, repair: describeTexts(calibration.dataset, calibration, options) },
  }
}

/** @param score  name of the perplexity after the last step */
function describeSteps(steps: LossStep[], score: string, objective: Objective = 'perplexity') {
  if (objective === 'kl') {
    return { objective, kl: steps.at(-1)!.loss, steps: steps.map(({ layer, loss }) => ({ layer, kl: loss })) }
  }
  const perplexities = steps.map(({ layer, loss }) => ({ layer, perplexity: Math.exp(loss) }))
  return { [score]: perplexities.at(-1)!.perplexity, steps: perplexities }
}

interface Search {
  /** Name of the last step's perplexity. */
  score: string
  /** Texts that candidates are measured on. */
  batches: ReadText[][]
  open: () => Promise<Evaluator>
}

/**
 * How candidates are measured: as they are, or repaired. Of a repair one batch in four, or the last of fewer, measures
 * candidates, and the others fit the repairs.
 */
function chooseSearch(options: Options, { model, batches }: Calibration): Search {
  const session = chooseSession(options)
  if (options.strategy !== 'repaired') {
    return { score: 'perplexity', batches, open: () => openEvaluator(model, session) }
  }
  const last = Math.min(batches.length, 4) - 1
  const searched = batches.filter((_, index) => index % 4 === last)
  const fitted = batches.length === 1 ? batches : batches.filter((batch) => !searched.includes(batch))
  const open = () => openRepairingEvaluator(model, fitted, session)
  return { score: 'repairedPerplexity', batches: searched, open }
}

function chooseSession({ threads, device = 'cpu', signal, onProgress }: Options) {
  return { threads, device, signal, onProgress }
}

/**
 * Opens an evaluator, searches with it and closes it.
 * @throws InterruptedError if `signal` was aborted, with how far the search came
 */
async function searchGreedily(
  { signal, onProgress, layersToSkip: n, objective }: Options,
  { config: { layers }, decoder }: Model,
  batches: ReadText[][],
  open: () => Promise<Evaluator>,
): Promise<LossStep[]> {
  let removed = 0
  const follow: OnProgress = (progress) => {
    removed = progress.done
    onProgress?.(progress)
  }
  const describeLoss = objective === 'kl' ? (loss: number) => `${formatDistance(loss)} nats` : undefined
  try {
    const evaluator = await open()
    try {
      const measuring = objective === 'kl' ? measureDivergence(evaluator) : evaluator
      const hasFixedBatch = findFixedBatch(decoder.model.graph) !== null
      return await removeByLoss(measuring, batches, {
        ...{ layers, n, hasFixedBatch, describeLoss },
        onProgress: follow,
      })
    } finally {
      await evaluator.close()
    }
  } catch (cause) {
    throw signal?.aborted ? new InterruptedError(`after ${removed} of ${formatQuantity(n, 'layer')}`) : cause
  }
}

function describeTexts(
  { id, column, shares }: Calibration['dataset'],
  { texts, settings }: Pick<Calibration, 'texts'> & { settings: { maxLength: number } },
  { datasetSize, shuffle }: Pick<Options, 'datasetSize' | 'shuffle'>,
) {
  return {
    id,
    ...(shares && { shares }),
    column,
    texts,
    maxLength: settings.maxLength,
    readTexts: datasetSize,
    ...(shuffle !== undefined && { shuffle }),
  }
}

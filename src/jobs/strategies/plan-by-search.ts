import { InterruptedError } from '../../base/errors.js'
import { formatDistance, formatQuantity } from '../../base/format-numbers.js'
import { nameOption } from '../../base/name-option.js'
import type { OnProgress } from '../../base/progress.js'
import type { Model } from '../../engine/model.js'
import { findFixedBatch } from '../../engine/sessions/runs.js'
import { chosenOn } from '../../results/documents/text-uses.js'
import type { ReadText } from '../../texts/tokens/windows.js'
import type { Evaluator } from '../evaluate/evaluator.js'
import { openEvaluator } from '../evaluate/open-evaluator.js'
import { type Calibration, describeTexts, openCalibration } from './calibration.js'
import { asBlocks } from './choose-layers.js'
import { type LossStep, measureDivergence, removeByLoss } from './greedy.js'
import { assertNoTexts, planByTask } from './plan-by-task.js'
import type { Found, PlanningOptions, TextPlanOptions } from './plan-options.js'
import { openRepairingEvaluator } from './repairing-evaluator.js'
import { type Objective, taskOf } from './strategy.js'

/** Measures cuts as they are, on all texts. */
export function planBySearch(options: TextPlanOptions): Promise<Found> {
  return planGreedily(options, ({ model, batches }) => ({
    score: 'perplexity',
    batches,
    open: () => openEvaluator(model, chooseSession(options)),
  }))
}

/** Texts to measure repaired cuts on: one batch in four, or the last of fewer. Repairs are fitted on the others. */
export function splitToSearch(batches: ReadText[][]): { fitted: ReadText[][]; searched: ReadText[][] } {
  const last = Math.min(batches.length, 4) - 1
  const searched = batches.filter((_, index) => index % 4 === last)
  const fitted = batches.length === 1 ? batches : batches.filter((batch) => !searched.includes(batch))
  return { fitted, searched }
}

/** Measures repaired cuts. */
export function planByRepairedSearch(options: TextPlanOptions): Promise<Found> {
  return planGreedily(options, ({ model, batches }) => {
    const { fitted, searched } = splitToSearch(batches)
    const open = () => openRepairingEvaluator(model, fitted, chooseSession(options))
    return { score: 'repairedPerplexity', batches: searched, open }
  })
}

/** Measures cuts as they are, on the documents of a task alone. */
export async function searchByTask(options: PlanningOptions): Promise<Found> {
  const { objective } = options
  assertNoTexts(options, nameOption('objective', objective))
  const { scores, ...found } = await planByTask(options, taskOf(objective)!)
  return { ...found, scores: { objective, ...scores } }
}

/** Measures cuts on the documents of a task, with repairs that are fitted on all texts. */
export async function searchRepairedByTask(options: TextPlanOptions): Promise<Found> {
  const calibration = await openCalibration(options)
  const { model, batches } = calibration
  const { scores, dataset, ...found } = await planByTask(options, taskOf(options.objective)!, async () => ({
    model,
    open: () => openRepairingEvaluator(model, batches, chooseSession(options)),
  }))
  return {
    ...found,
    scores: { objective: options.objective, ...scores },
    dataset: { ...dataset, repair: describeTexts(calibration.dataset, calibration, options) },
    texts: chosenOn(calibration.record),
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

async function planGreedily(
  options: TextPlanOptions,
  chooseSearch: (calibration: Calibration) => Search,
): Promise<Found> {
  const calibration = await openCalibration(options)
  const { score, batches, open } = chooseSearch(calibration)
  const steps = await searchGreedily(options, calibration.model, batches, open)
  return {
    removed: asBlocks(steps.map(({ layer }) => layer)),
    scores: describeSteps(steps, score, options.objective),
    dataset: describeTexts(calibration.dataset, calibration, options),
    texts: chosenOn(calibration.record),
  }
}

function chooseSession({ threads, device = 'cpu', signal, onProgress }: TextPlanOptions) {
  return { threads, device, signal, onProgress }
}

/** Searches with an evaluator of its own; throws InterruptedError with how far the search came. */
async function searchGreedily(
  { signal, onProgress, layersToSkip: n, objective, memory }: TextPlanOptions,
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
    const evaluator = memory.remember(await open())
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

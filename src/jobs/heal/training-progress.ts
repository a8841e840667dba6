import { formatPerplexity } from '../../base/format-numbers.js'
import type { Progress } from '../../base/progress.js'
import type { EncodedText } from '../../texts/tokens/windows.js'
import type { TrainingSettings } from './settings.js'
import type { TrainingState } from './training-state.js'

/** Cost of a forward and a backward pass, in forward passes. */
const TRAINING_COST = 3

/** Progress within a step of training. */
export interface StepPart {
  /** Share of the step that is done. */
  ofStep?: number
  /** Share of the measurement after the step that is done; undefined if none is under way. */
  ofMeasurement?: number
}

/** Describes the progress of a training, whose work includes the measurements between steps. */
export function describeTraining(
  settings: TrainingSettings,
  heldOut: EncodedText[][],
  state: TrainingState,
  { ofStep = 0, ofMeasurement }: StepPart = {},
): Progress {
  const { steps: total } = settings
  const { losses, curve, optimizer } = state
  const done = optimizer.steps + ofStep
  const stepCost = TRAINING_COST * settings.batchSize * settings.maxLength
  const measurementCost = heldOut.flat().reduce((sum, { ids }) => sum + ids.length, 0)
  // a measurement follows every so many steps, and the last one
  const measurements = (steps: number) => Math.floor(steps / settings.evaluateEvery)
  const workOf = (steps: number, measured: number) => steps * stepCost + measured * measurementCost
  const measured = curve.length - 1 + (ofMeasurement ?? 0)
  const all = total === null ? null : workOf(total, measurements(total - 1) + 1)
  const ofSteps = all === null ? 0 : Math.min(1, workOf(done, measured) / all)
  const share = Math.max(ofSteps, shareOfTime(settings, state))
  return {
    ...{ phase: 'training', done, total, unit: 'step', share, next: 'perplexity' },
    isMost: settings.patience !== null,
    detail:
      ofMeasurement === undefined ? describeLosses(losses, curve.at(-1)!.heldOutLoss) : 'measuring held-out texts',
  }
}

/** Share of the training's time that has passed, 0 to 1; 0 if the time does not end it. */
export function shareOfTime({ minutes }: TrainingSettings, { seconds }: TrainingState): number {
  return minutes === null ? 0 : Math.min(1, seconds / (60 * minutes))
}

function describeLosses(losses: number[], heldOutLoss: number): string {
  const heldOut = `held-out perplexity ${formatPerplexity(Math.exp(heldOutLoss))}`
  return losses.length === 0 ? heldOut : `loss ${losses.at(-1)!.toFixed(3)}, ${heldOut}`
}

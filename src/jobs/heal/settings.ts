import { UsageError } from '../../base/errors.js'
import { assertCounts } from '../run/run-options.js'

export interface TrainingSettings {
  /** Number of steps; null if `minutes` alone ends the training. */
  steps: number | null
  /** Time limit in minutes; null if only the steps count. */
  minutes: number | null
  /** Sequences of a step. */
  batchSize: number
  /** Sequences that run at once; the gradients of a step's other runs are added to theirs. */
  microBatchSize: number
  /** Tokens of a sequence. */
  maxLength: number
  /** Peak of the learning rate. */
  learningRate: number
  warmupSteps: number
  weightDecay: number
  /** Largest norm of the gradients; larger ones are scaled down to it. */
  clip: number
  seed: number
  /** Weight of the teacher's states after each cut in the loss; null if they are not learnt. */
  teacherStates: number | null
  /** Steps between measurements on held-out texts. */
  evaluateEvery: number
  /** Measurements in a row without a lower loss after which training stops; null if it never stops early. */
  patience: number | null
}

export type TrainingOptions = { [K in keyof TrainingSettings]?: NonNullable<TrainingSettings[K]> | undefined }

const DEFAULT_STEPS = 200

/** Fills in omitted settings; throws UsageError if one is out of range. */
export function chooseTraining(options: TrainingOptions, maxLength: number): TrainingSettings {
  const { steps, minutes, batchSize = 4, microBatchSize = Math.min(4, batchSize), patience } = options
  const { learningRate = 1e-3, weightDecay = 0, clip = 1, warmupSteps = 10, seed = 0 } = options
  assertCounts({
    steps,
    'batch size': batchSize,
    'sequences at once': microBatchSize,
    'steps between measurements': options.evaluateEvery,
    patience,
  })
  const positive = {
    'learning rate': learningRate,
    'largest norm of gradients': clip,
    'weight of states': options.teacherStates,
    minutes,
  }
  for (const [name, value] of Object.entries(positive)) {
    if (value !== undefined && !(value > 0 && Number.isFinite(value))) {
      throw new UsageError(`${name} must be a number above 0, found ${value}`)
    }
  }
  return {
    steps: steps ?? (minutes === undefined ? DEFAULT_STEPS : null),
    minutes: minutes ?? null,
    batchSize,
    microBatchSize,
    maxLength,
    learningRate,
    warmupSteps,
    weightDecay,
    clip,
    seed,
    teacherStates: options.teacherStates ?? null,
    evaluateEvery: options.evaluateEvery ?? 50,
    patience: patience ?? null,
  }
}

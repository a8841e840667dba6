import { LayerpruneError } from '../../base/errors.js'
import type { ProgressOptions } from '../../base/progress.js'
import type { EncodedText } from '../../texts/tokens/windows.js'
import type { GradientSource } from './gradient-source.js'
import { type AdamSettings, AdamW, clipGradients, type Parameters, scheduledRate } from './optimizer.js'
import type { TrainingSettings } from './settings.js'
import { describeTraining, type StepPart } from './training-progress.js'
import type { TrainingState } from './training-state.js'

/** PyTorch's defaults. */
export const ADAM: Pick<AdamSettings, 'betas' | 'epsilon'> = { betas: [0.9, 0.999], epsilon: 1e-8 }

/** Steps that measure the pace, if minutes are given instead of steps. */
const PACE_STEPS = 3

export interface TrainOptions extends ProgressOptions {
  source: Pick<GradientSource, 'addGradients' | 'measure'>
  settings: TrainingSettings
  /** The sequences of a step, counted from 0; all of one length. */
  choose: (step: number) => EncodedText[]
  /** Batches of texts that are not trained on. */
  heldOut: EncodedText[][]
  state: TrainingState
  /** Called when the state may be saved. */
  onCheckpoint?: ((state: TrainingState) => Promise<void>) | undefined
  signal?: AbortSignal | undefined
  /** Milliseconds, of any start. */
  now?: (() => number) | undefined
}

/** The state before the first step; the held-out loss of the weights as they are, in nats per token. */
export function startTraining(
  parameters: Parameters,
  heldOutLoss: number,
  { steps, weightDecay }: TrainingSettings,
): TrainingState {
  return {
    parameters,
    optimizer: new AdamW(parameters, { ...ADAM, weightDecay }),
    steps,
    seconds: 0,
    curve: [{ step: 0, trainingLoss: null, heldOutLoss }],
    losses: [],
    best: { step: 0, heldOutLoss, parameters: copyParameters(parameters) },
  }
}

/**
 * Trains weights in place, until the steps are done, the minutes are over or the held-out loss no longer falls.
 * @returns why it ended
 * @throws LayerpruneError if the loss is not a finite number
 */
export async function train(options: TrainOptions): Promise<'steps' | 'minutes' | 'patience'> {
  const { settings, state, signal, now = () => performance.now(), onCheckpoint } = options
  const startMs = now() - 1000 * state.seconds
  report(options)
  const isOver = () => settings.minutes !== null && state.seconds >= 60 * settings.minutes
  while (true) {
    if (state.optimizer.steps >= (state.steps ?? Infinity)) return 'steps'
    if (hasLostPatience(settings, state)) return 'patience'
    if (isOver()) return 'minutes'
    if (signal?.aborted) await onCheckpoint?.(state)
    signal?.throwIfAborted()
    await takeStep(options, options.choose(state.optimizer.steps))
    state.seconds = (now() - startMs) / 1000
    const done = state.optimizer.steps
    if (state.steps === null && done >= PACE_STEPS) state.steps = planSteps(settings, state)
    if (done % settings.evaluateEvery === 0 || done === state.steps || isOver()) {
      await measureHeldOut(options)
      state.seconds = (now() - startMs) / 1000
      await onCheckpoint?.(state)
    }
    report(options)
  }
}

/** The number of steps that the minutes allow. */
function planSteps({ minutes }: TrainingSettings, { seconds, optimizer }: TrainingState): number {
  return Math.max(optimizer.steps, Math.floor((60 * minutes! * optimizer.steps) / seconds))
}

async function takeStep(options: TrainOptions, sequences: EncodedText[]): Promise<void> {
  const { source, settings, state } = options
  const { parameters, optimizer } = state
  const gradients = new Map([...parameters].map(([name, { length }]) => [name, new Float32Array(length)]))
  const predicted = sequences.reduce((sum, { ids }) => sum + ids.length - 1, 0)
  let nats = 0
  for (let start = 0; start < sequences.length; start += settings.microBatchSize) {
    const texts = sequences.slice(start, start + settings.microBatchSize)
    nats += (await source.addGradients(texts, parameters, 1 / predicted, gradients)).nats
    const ofStep = (start + texts.length) / sequences.length
    if (ofStep < 1) report(options, { ofStep })
  }
  const norm = clipGradients(gradients, settings.clip)
  const loss = nats / predicted
  if (!Number.isFinite(loss) || !Number.isFinite(norm)) {
    throw new LayerpruneError(`step ${optimizer.steps + 1}: the loss or its gradient is not a finite number`, {
      hint: 'train with a lower `learningRate`',
    })
  }
  const rate = scheduledRate(optimizer.steps, {
    peak: settings.learningRate,
    warmupSteps: settings.warmupSteps,
    steps: state.steps ?? Infinity,
  })
  optimizer.step(parameters, gradients, rate)
  state.losses.push(loss)
}

async function measureHeldOut(options: TrainOptions): Promise<void> {
  const { source, heldOut, state, signal } = options
  let [nats, tokens] = [0, 0]
  for (const [index, texts] of heldOut.entries()) {
    signal?.throwIfAborted()
    report(options, { ofMeasurement: index / heldOut.length })
    const loss = await source.measure(texts, state.parameters)
    nats += loss.nats
    tokens += loss.tokens
  }
  const step = state.optimizer.steps
  const since = state.losses.slice(state.curve.at(-1)!.step)
  const trainingLoss = since.length === 0 ? null : since.reduce((sum, loss) => sum + loss, 0) / since.length
  const heldOutLoss = nats / tokens
  state.curve.push({ step, trainingLoss, heldOutLoss })
  if (!(heldOutLoss < state.best.heldOutLoss)) return
  state.best = { step, heldOutLoss, parameters: copyParameters(state.parameters) }
}

function hasLostPatience({ patience }: TrainingSettings, { curve, best }: TrainingState): boolean {
  if (patience === null) return false
  return curve.filter(({ step }) => step > best.step).length >= patience
}

function copyParameters(parameters: Parameters): Parameters {
  return new Map([...parameters].map(([name, values]) => [name, values.slice()]))
}

function report({ settings, heldOut, state, onProgress }: TrainOptions, part?: StepPart): void {
  onProgress?.(describeTraining(settings, heldOut, state, part))
}

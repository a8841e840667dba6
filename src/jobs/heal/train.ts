import { LayerpruneError } from '../../base/errors.js'
import type { ProgressOptions } from '../../base/progress.js'
import type { EncodedText } from '../../texts/tokens/windows.js'
import type { GradientSource } from './gradient-source.js'
import type { HealResult } from './heal-result.js'
import { type AdamSettings, AdamW, clipGradients, type Parameters, scheduledRate } from './optimizer.js'
import type { TrainingSettings } from './settings.js'
import { describeTraining, type StepPart, shareOfTime } from './training-progress.js'
import type { TrainingState } from './training-state.js'

/** PyTorch's defaults. */
export const ADAM: Pick<AdamSettings, 'betas' | 'epsilon'> = { betas: [0.9, 0.999], epsilon: 1e-8 }

export interface TrainOptions extends ProgressOptions {
  source: Pick<GradientSource, 'addGradients' | 'measure'>
  settings: TrainingSettings
  /** The sequences of a step, counted from 0; all of one length. */
  choose: (step: number) => EncodedText[]
  /** Batches of texts that are not trained on. */
  heldOut: EncodedText[][]
  state: TrainingState
  /** Called and awaited after each step. */
  onStep?: (() => Promise<void>) | undefined
  /** Called and awaited after each measurement on held-out texts. */
  onMeasured?: (() => Promise<void>) | undefined
  signal?: AbortSignal | undefined
  /** Milliseconds, of any start. */
  now?: (() => number) | undefined
}

/** The state before the first step; the held-out loss of the weights as they are, in nats per token. */
export function startTraining(
  parameters: Parameters,
  heldOutLoss: number,
  { weightDecay }: TrainingSettings,
): TrainingState {
  return {
    parameters,
    optimizer: new AdamW(parameters, { ...ADAM, weightDecay }),
    seconds: 0,
    curve: [{ step: 0, trainingLoss: null, heldOutLoss }],
    losses: [],
    best: { step: 0, heldOutLoss, parameters: copyParameters(parameters) },
  }
}

/**
 * Trains weights in place, until the steps are done, the minutes are over or the held-out loss no longer falls.
 * Between any two awaited calls the state is one to resume from: however it ends, no step that was taken is lost.
 * @returns why it ended
 * @throws LayerpruneError if the loss is not a finite number
 */
export async function train(options: TrainOptions): Promise<HealResult['ended']> {
  const { settings, state, signal, now = () => performance.now(), onStep, onMeasured } = options
  const startMs = now() - 1000 * state.seconds
  const work = async (part: Promise<void>) => {
    await part
    state.seconds = (now() - startMs) / 1000
  }
  report(options)
  while (true) {
    const ending = findEnding(settings, state)
    if (isToMeasure(settings, state, ending)) {
      await work(measureHeldOut(options))
      await onMeasured?.()
      report(options)
    } else if (ending !== undefined) {
      return ending
    } else {
      signal?.throwIfAborted()
      await work(takeStep(options, options.choose(state.optimizer.steps)))
      await onStep?.()
      report(options)
    }
  }
}

function findEnding(settings: TrainingSettings, state: TrainingState): HealResult['ended'] | undefined {
  if (state.optimizer.steps >= (settings.steps ?? Infinity)) return 'steps'
  if (hasLostPatience(settings, state)) return 'patience'
  return shareOfTime(settings, state) >= 1 ? 'minutes' : undefined
}

/** Whether the model is to be measured before it is trained further, or written. */
function isToMeasure(
  { evaluateEvery }: TrainingSettings,
  { optimizer: { steps }, curve }: TrainingState,
  ending: HealResult['ended'] | undefined,
): boolean {
  if (curve.at(-1)!.step === steps) return false
  return ending !== undefined || steps % evaluateEvery === 0
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
    steps: settings.steps ?? Infinity,
    timeShare: shareOfTime(settings, state),
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

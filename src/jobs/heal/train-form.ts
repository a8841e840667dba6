import { existsSync } from 'node:fs'
import { InterruptedError, LayerpruneError } from '../../base/errors.js'
import { formatDuration, formatQuantity, formatSize } from '../../base/format-numbers.js'
import type { Model } from '../../engine/model.js'
import type { Figures } from '../../results/documents/evaluation-result.js'
import { measureTexts } from '../evaluate/measure-texts.js'
import { countScoredBytes } from '../evaluate/scored-bytes.js'
import { StateFile } from '../run/state-file.js'
import { ForwardClock } from './forward-clock.js'
import { GradientSource } from './gradient-source.js'
import type { HealResult } from './heal-result.js'
import type { HealOptions, Student, Work } from './heal-work.js'
import { chooseSequences } from './pack-texts.js'
import { identifyRun } from './run-identity.js'
import { encodeState, loadState, statePath } from './saved-state.js'
import type { TrainingSettings } from './settings.js'
import { countTokenCost } from './step-cost.js'
import { startTraining, train } from './train.js'
import { estimateTraining, fitLayers } from './training-memory.js'
import type { TrainingState } from './training-state.js'

export interface Trained {
  ended: HealResult['ended']
  state: TrainingState
  /** The model before training, on the held-out texts. */
  before: Figures
}

/**
 * Trains a model's trained form from its start, or from a saved state. The state is saved as it goes, and once more if
 * the training stops, for whatever reason.
 * @throws InterruptedError if `signal` was aborted, with what was kept
 */
export async function trainForm(work: Work, options: HealOptions): Promise<Trained> {
  const { settings } = work
  const { model, form, teacher } = work.student
  const { training, heldOut } = work.data.texts
  const { output, signal, threads, device = 'cpu', onProgress, onNote } = options
  const layersAtOnce = chooseLayersAtOnce(work.student, settings, options)
  const identity = await identifyRun(work, options)
  const { state, before } = options.resume
    ? await loadState(statePath(output), form.start, identity, settings.weightDecay)
    : await startState(work, options)
  const file = new StateFile(statePath(output), {
    encode: (state: TrainingState) => encodeState(state, { identity, before }),
    onFailure: onNote,
  })
  if (!options.resume) await file.remove()
  const source = await GradientSource.open(form.decoder, model.config, {
    ...{ threads, device, apart: work.apart },
    trained: form.trained,
    layersAtOnce,
    teacher: teacher ?? undefined,
  })
  try {
    const ended = await train({
      source,
      settings,
      choose: chooseSequences(training.sequences, { seed: settings.seed, perStep: settings.batchSize }),
      heldOut: heldOut.batches,
      state,
      signal,
      onStep: () => file.note(() => state),
      onMeasured: async () => {
        await file.note(() => state)
        await file.save()
      },
      onProgress,
    })
    return { ended, state, before }
  } catch (cause) {
    const isSaved = await file.save()
    throw signal?.aborted ? new InterruptedError(await describeStop(state, file.path, isSaved)) : cause
  } finally {
    await source.close()
  }
}

async function describeStop({ optimizer: { steps } }: TrainingState, path: string, isSaved: boolean): Promise<string> {
  if (steps === 0) return 'before the first step'
  const taken = `after ${formatQuantity(steps, 'step')}`
  if (isSaved) return `${taken}; \`resume\` continues from there`
  return existsSync(path)
    ? `${taken}, the last of which could not be saved; \`resume\` continues from those before them`
    : `${taken}, none of which could be saved`
}

/** Chooses how many layers are held at once, and notes the memory. */
function chooseLayersAtOnce(
  { model, form, teacher }: Student,
  settings: TrainingSettings,
  options: HealOptions,
): number {
  const { device = 'cpu', maxMemory, layersAtOnce, onNote } = options
  const { layers } = model.config
  const batch = { texts: settings.microBatchSize, tokens: settings.maxLength }
  if (device !== 'cpu' && maxMemory === undefined) return Math.min(layersAtOnce ?? layers, layers)
  const memory = estimateTraining(form, model.config, batch, teacher ?? undefined)
  const chosen =
    maxMemory === undefined ? Math.min(layersAtOnce ?? layers, layers) : fitLayers(memory, layers, maxMemory, batch)
  if (device === 'cpu') {
    const held = chosen < layers ? `, holding ${formatQuantity(chosen, 'layer')} of ${layers} at once` : ''
    onNote?.(`the training takes about ${formatSize(memory(chosen))} of memory${held}`)
  }
  return chosen
}

async function startState(work: Work, options: HealOptions): Promise<Omit<Trained, 'ended'>> {
  const {
    student: { model, form },
    data,
    settings,
  } = work
  const clock = new ForwardClock(data.texts.heldOut.batches)
  const before = await measureHeldOut(model, 'before', work, {
    ...options,
    onProgress: (progress) => {
      if (progress.phase === 'perplexity before') clock.note(progress.done)
      options.onProgress?.(progress)
    },
  })
  if (before === undefined) {
    throw new LayerpruneError("the model's perplexity on the held-out texts is not finite", {
      hint: 'its weights may be damaged: download or prune it again',
    })
  }
  noteDuration(clock.tokensPerSecond(), model, settings, options)
  return { state: startTraining(form.start, Math.log(before.perplexity), settings), before }
}

/** Notes the duration of the training if it is a minute or more and no limit in minutes was given. */
function noteDuration(
  forwardPerSecond: number | undefined,
  model: Model,
  settings: TrainingSettings,
  { onNote }: HealOptions,
): void {
  const { steps, minutes, batchSize, maxLength } = settings
  if (forwardPerSecond === undefined || minutes !== null) return
  const { forward, step } = countTokenCost(model.decoder, model.config, maxLength)
  const seconds = (steps! * batchSize * maxLength * step) / forward / forwardPerSecond
  if (seconds < 60) return
  onNote?.(
    `${formatQuantity(steps!, 'step')} of ${batchSize} x ${maxLength} tokens will take about ${formatDuration(seconds)}`,
  )
}

/** Figures of a model on the held-out texts; undefined if they are not finite. */
export async function measureHeldOut(
  model: Model,
  stage: 'whole' | 'before' | 'after',
  { data: { texts, tokenizer }, settings: { maxLength }, apart }: Work,
  { threads, device = 'cpu', signal, onProgress }: HealOptions,
): Promise<Figures | undefined> {
  const { batches } = texts.heldOut
  // so few texts are not worth a copy of all weights in float32
  const decoder = { ...model.decoder, castsPerRun: true }
  const [figures] = await measureTexts({ ...model, decoder }, [[]], {
    ...{ threads, device, apart, signal },
    batches,
    countBytes: (text) => countScoredBytes(text, tokenizer.decode, maxLength),
    phase: { phase: `perplexity ${stage}`, ...(stage === 'before' && { next: 'training' }) },
    onProgress,
  })
  return figures
}

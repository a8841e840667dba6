import { basename, resolve } from 'node:path'
import { InterruptedError, LayerpruneError } from '../../base/errors.js'
import { formatDuration, formatQuantity, formatSize } from '../../base/format-numbers.js'
import type { Model } from '../../engine/model.js'
import { storeWeights } from '../../model/gradient/fed-weights.js'
import { replaceWeights } from '../../model/graph/replace-weights.js'
import type { Figures } from '../../results/documents/evaluation-result.js'
import { SCHEMAS } from '../../results/documents/schemas.js'
import { measureTexts } from '../evaluate/measure-texts.js'
import { countScoredBytes } from '../evaluate/scored-bytes.js'
import { assertRoom, fillFolder, type OutputFolder } from '../write-model/output-folder.js'
import { type PlannedFile, sizeOf, sumPlanned } from '../write-model/planned-file.js'
import { writePlannedFiles } from '../write-model/write-planned.js'
import { ForwardClock } from './forward-clock.js'
import { GradientSource } from './gradient-source.js'
import type { HealFacts, HealResult } from './heal-result.js'
import { checkOptions, type HealData, type HealOptions, openWork, type Student, type Work } from './heal-work.js'
import { planAdapter, planHealedModel } from './healed-files.js'
import { chooseSequences } from './pack-texts.js'
import { identifyRun } from './run-identity.js'
import { hasState, loadState, removeState, saveState, statePath } from './saved-state.js'
import type { TrainingSettings } from './settings.js'
import { countTokenCost } from './step-cost.js'
import { startTraining, train } from './train.js'
import { mergeTrained } from './trained-form.js'
import { estimateTraining, fitLayers } from './training-memory.js'
import type { TrainingState } from './training-state.js'

/**
 * Trains a model on texts, by default low-rank adapters of its MLPs that are merged into its weights, and measures it
 * before and after on texts that it is not trained on.
 *
 * While it runs, what a stopped training needs to go on is in `OUTPUT.layerprune-training`.
 * @throws UsageError if an option is out of range
 * @throws InterruptedError if `signal` was aborted
 * @throws LayerpruneError if the model or the texts cannot be used, or this kind of model cannot be trained
 */
export async function healModel(options: HealOptions): Promise<HealResult> {
  checkOptions(options)
  const { signal, output, adapter } = options
  const work = await openWork(options)
  const { student, data, settings, folder } = work
  const { located, model, form, adapted, tensors } = student
  try {
    const { ended, state, before } = await trainForm(work, options)
    const { parameters } = state.best
    const replacements = adapter ? new Map() : await mergeTrained(form, parameters, tensors)
    const decoder = adapter
      ? storeWeights(adapted, form.trained, parameters)
      : replaceWeights(model.decoder, replacements)
    const after = await measureHeldOut({ ...model, decoder }, 'after', data, settings, options)
    const facts = { ...describeWork(work, state, options), ended, ...compare(before, after) }
    const made = { name: basename(resolve(output)), command: options.command }
    const files = adapter
      ? await planAdapter(located, form, parameters, tensors, facts, made)
      : await planHealedModel(located, replacements, facts, made)
    const result = describeFiles(facts, folder, files)
    await write(folder, files, options)
    await removeState(statePath(output))
    return result
  } catch (cause) {
    throw signal?.aborted ? new InterruptedError(await describeStop(output)) : cause
  } finally {
    data.tokenizer.close()
  }
}

async function describeStop(output: string): Promise<string> {
  return (await hasState(output)) ? 'the training; `resume` continues it' : 'before the first step'
}

interface Trained {
  ended: HealResult['ended']
  state: TrainingState
  /** The model before training, on the held-out texts. */
  before: Figures
}

async function trainForm(work: Work, options: HealOptions): Promise<Trained> {
  const { settings } = work
  const { model, form, teacher } = work.student
  const { training, heldOut } = work.data.texts
  const { output, signal, threads, device = 'cpu', onProgress } = options
  const layersAtOnce = chooseLayersAtOnce(work.student, settings, options)
  const identity = await identifyRun(work, options)
  const { state, before } = options.resume
    ? await loadState(statePath(output), form.start, identity, settings.weightDecay)
    : await startState(work, options)
  const source = await GradientSource.open(form.decoder, model.config, {
    threads,
    device,
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
      onCheckpoint: (state) => saveState(statePath(output), state, { identity, before }),
      onProgress,
    })
    return { ended, state, before }
  } finally {
    await source.close()
  }
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

async function startState(
  { student: { model, form }, data, settings }: Work,
  options: HealOptions,
): Promise<Omit<Trained, 'ended'>> {
  const clock = new ForwardClock(data.texts.heldOut.batches)
  const before = await measureHeldOut(model, 'before', data, settings, {
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

async function measureHeldOut(
  model: Model,
  stage: 'before' | 'after',
  { texts, tokenizer }: HealData,
  { maxLength }: TrainingSettings,
  { threads, device = 'cpu', signal, onProgress }: HealOptions,
): Promise<Figures | undefined> {
  const { batches } = texts.heldOut
  // so few texts are not worth a copy of all weights in float32
  const decoder = { ...model.decoder, castsPerRun: true }
  const [figures] = await measureTexts({ ...model, decoder }, [[]], {
    threads,
    device,
    signal,
    batches,
    countBytes: (text) => countScoredBytes(text, tokenizer.decode, maxLength),
    phase: stage === 'before' ? { phase: 'perplexity before', next: 'training' } : { phase: 'perplexity after' },
    onProgress,
  })
  return figures
}

function compare(before: Figures, after: Figures | undefined): Pick<HealResult, 'perplexity' | 'standardError'> {
  return {
    perplexity: { before: before.perplexity, after: after?.perplexity ?? null },
    standardError: { before: before.standardError, after: after?.standardError ?? null },
  }
}

function describeWork(
  { student: { located, modules, form, teacher }, data: { texts }, settings }: Work,
  { optimizer, seconds, curve, best }: TrainingState,
  { adapter, named = located.id }: HealOptions,
): Omit<HealFacts, 'ended' | 'perplexity' | 'standardError'> {
  const { training, heldOut, repeated } = texts
  const measured = heldOut.batches.flat()
  return {
    schema: SCHEMAS.heal,
    model: named,
    written: adapter ? 'adapter' : 'model',
    trained: {
      modules,
      adapters: form.adapters?.form ?? null,
      parameters: [...form.start.values()].reduce((sum, { length }) => sum + length, 0),
    },
    teacher: teacher?.id ?? null,
    settings,
    data: {
      training: { id: training.id, texts: training.texts, sequences: training.sequences.length },
      heldOut: {
        id: heldOut.id,
        texts: measured.length,
        scoredTokens: measured.reduce((sum, { ids }) => sum + ids.length - 1, 0),
        repeated,
      },
    },
    steps: optimizer.steps,
    bestStep: best.step,
    seconds,
    tokensPerSecond: (optimizer.steps * settings.batchSize * settings.maxLength) / seconds,
    curve,
  }
}

function describeFiles(facts: HealFacts, { path }: OutputFolder, planned: PlannedFile[]): HealResult {
  const files = planned.map((file) => ({ name: file.name, sizeBytes: sizeOf(file) }))
  return {
    ...facts,
    output: path,
    files,
    sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  }
}

async function write(folder: OutputFolder, files: PlannedFile[], options: HealOptions): Promise<void> {
  const { output, signal, onProgress } = options
  await assertRoom(folder, sumPlanned(files))
  await fillFolder(folder, (temporary) => writePlannedFiles(temporary, files, { named: output, signal, onProgress }))
}

import { access } from 'node:fs/promises'
import { describeDecoder } from '../builder/build-decoder.js'
import type { TensorLocation } from '../checkpoint/safetensors.js'
import type { Figures } from '../documents/evaluation-result.js'
import { SCHEMAS } from '../documents/schemas.js'
import { InterruptedError, LayerpruneError, UsageError } from '../errors.js'
import { measureTexts } from '../evaluate/measure-texts.js'
import { countScoredBytes } from '../evaluate/scored-bytes.js'
import { formatQuantity } from '../format-numbers.js'
import { replaceWeights } from '../graph/replace-weights.js'
import { readStoredPart } from '../graph/stored-part.js'
import {
  chooseModelWeights,
  type LocatedModel,
  locateModel,
  type Model,
  openWeights,
  prepareModel,
  provideWeights,
} from '../model.js'
import { listCompanions } from '../prune/companion-files.js'
import { assertRoom, checkOutputFolder, fillFolder, type OutputFolder } from '../prune/output-folder.js'
import { type PlannedFile, sizeOf } from '../prune/planned-file.js'
import { writePlannedFiles } from '../prune/write-planned.js'
import { findLengthLimits } from '../run/length-limits.js'
import { assertCounts, assertRunCounts, chooseRunSettings, type RunOptions } from '../run/run-options.js'
import { TokenizerThread } from '../texts/tokenizer-thread.js'
import { GradientSource } from './gradient-source.js'
import type { HealFacts, HealResult } from './heal-result.js'
import { findEndToken, type HealTextOptions, type HealTexts, readHealTexts } from './heal-texts.js'
import { planAdapter, planHealedModel } from './healed-files.js'
import { chooseSequences } from './pack-texts.js'
import { identifyRun } from './run-identity.js'
import { loadState, removeState, saveState } from './saved-state.js'
import { chooseTraining, type TrainingOptions, type TrainingSettings } from './settings.js'
import { listTargets } from './targets.js'
import { startTraining, type TrainingProgress, type TrainingState, train } from './train.js'
import { type FormOptions, makeTrainable, mergeTrained, type TrainedForm } from './trained-form.js'

export interface HealOptions
  extends Omit<RunOptions, 'onProgress' | 'batchSize' | 'format' | 'dtype' | 'modelFile'>,
    Omit<HealTextOptions, 'dataset'>,
    Omit<TrainingOptions, 'maxLength'>,
    FormOptions {
  /** Folder to write the healed model to. */
  output: string
  /** Names of the modules to train, or the ends of their paths; those of the MLPs if omitted. */
  targets?: string[] | undefined
  /** Writes the adapter alone instead of the model. */
  adapter?: boolean | undefined
  /** Layers whose values are held at once; all if omitted. Fewer take less memory and more time. */
  layersAtOnce?: number | undefined
  /** Continues a training that was stopped. */
  resume?: boolean | undefined
  /** Replaces a model that is in the output folder, and a training that was stopped. */
  force?: boolean | undefined
  onProgress?: ((progress: HealProgress) => void) | undefined
}

export type HealProgress =
  | ({ stage: 'training' } & TrainingProgress)
  | { stage: 'before' | 'after'; texts: number; total: number }

/** Tokens of a sequence, unless the user says otherwise or the model takes fewer. */
const MAX_LENGTH = 256

/** Sequences to read at most if minutes decide: as many as no processor trains on in that time. */
const SEQUENCES_A_MINUTE = 1000

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
  const { located, model, form, tensors, tokenizer } = work
  try {
    const before = await measureHeldOut(model, 'before', work, options)
    const { ended, state } = await trainForm(work, options)
    const { parameters } = state.best!
    const replacements = await mergeTrained(form, parameters, tensors)
    const healed = { ...model, decoder: replaceWeights(model.decoder, replacements) }
    const after = await measureHeldOut(healed, 'after', work, options)
    const facts = { ...describeWork(work, state, options), ended, ...compare(before, after) }
    const files = adapter
      ? await planAdapter(located, form, parameters, facts)
      : await planHealedModel(located, replacements, facts)
    const result = describeFiles(facts, work.folder, files)
    await write(work.folder, files, options)
    await removeState(statePath(output))
    return result
  } catch (cause) {
    throw signal?.aborted
      ? new InterruptedError('before the model was healed; --resume continues if training had begun')
      : cause
  } finally {
    tokenizer.close()
  }
}

function checkOptions(options: HealOptions): void {
  const { wholeMatrices, adapter, rank, alpha, evaluateSize, layersAtOnce } = options
  assertRunCounts({ ...options, batchSize: undefined })
  assertCounts({ 'texts to measure on': evaluateSize, 'layers at once': layersAtOnce })
  if (!wholeMatrices) return
  if (adapter) throw new UsageError('--adapter writes adapters, and --whole-matrices trains none')
  if (rank !== undefined || alpha !== undefined) {
    throw new UsageError('--rank and --alpha are those of adapters, and --whole-matrices trains none')
  }
}

/** What a training works with. */
interface Work {
  located: LocatedModel
  model: Model
  folder: OutputFolder
  settings: TrainingSettings
  /** Stored tensors of the decoder. */
  tensors: Map<string, TensorLocation>
  modules: string[]
  form: TrainedForm
  tokenizer: TokenizerThread
  texts: HealTexts
}

async function openWork(options: HealOptions): Promise<Work> {
  const { output, force, signal, onNote } = options
  const located = await locateModel(options)
  const chosen = chooseModelWeights(located, { format: 'safetensors' }, 'change')
  await provideWeights(located, chosen)
  const folder = await checkOutputFolder(output, {
    source: located.folder,
    known: await listCompanions(located.source),
    force,
    onNote,
  })
  await checkStopped(options)
  const model = await prepareModel(await openWeights(located, chosen), options)
  const settings = chooseSettings(options, model)
  const tensors = decoderTensors(model)
  const modules = listTargets(describeDecoder(model.config, tensors), tensors, options.targets)
  const form = await makeTrainable(model.decoder, tensors, modules, { ...options, seed: settings.seed })
  const tokenizer = new TokenizerThread(located.folder, signal)
  try {
    const texts = await readTexts(options, located, tokenizer, settings)
    return { located, model, folder, settings, tensors, modules, form, tokenizer, texts }
  } catch (cause) {
    tokenizer.close()
    throw cause
  }
}

/** Where the state of a training is kept until its model is written. */
function statePath(output: string): string {
  return `${output.replace(/[\\/]+$/, '')}.layerprune-training`
}

/** A training that was stopped is neither lost nor continued unless the user says so. */
async function checkStopped({ output, resume, force }: HealOptions): Promise<void> {
  const path = statePath(output)
  const isThere = await access(path).then(
    () => true,
    () => false,
  )
  if (isThere && !resume && !force) {
    throw new LayerpruneError(`a training was stopped, and ${path} holds its state`, {
      hint: 'continue it with --resume, or start again with --force',
    })
  }
  if (!isThere && resume) {
    throw new LayerpruneError(`no training can be resumed: there is no ${path}`, {
      hint: 'start without --resume, or name the --output of the stopped training',
    })
  }
}

function chooseSettings(options: HealOptions, model: Model): TrainingSettings {
  const limits = findLengthLimits(model).map(({ tokens }) => tokens)
  const asked = options.maxLength ?? Math.min(MAX_LENGTH, ...limits)
  const { maxLength } = chooseRunSettings({ maxLength: asked }, model, options.onNote)
  if (maxLength < 2) throw new UsageError('max length must be at least 2: one token has none before it')
  return chooseTraining(options, maxLength)
}

/** Stored tensors that the graph computes with; a model of images and text has others too. */
function decoderTensors({ decoder, tensors }: Model): Map<string, TensorLocation> {
  const used = new Set(decoder.model.graph.initializer.map(({ name }) => readStoredPart(name).tensor))
  return new Map([...tensors!].filter(([name]) => used.has(name)))
}

async function readTexts(
  options: HealOptions,
  located: LocatedModel,
  tokenizer: TokenizerThread,
  { maxLength, batchSize, steps, minutes, microBatchSize }: TrainingSettings,
): Promise<HealTexts> {
  const texts = await readHealTexts(options, tokenizer.encode, {
    maxLength,
    batchSize: microBatchSize,
    most: steps === null ? Math.ceil(minutes! * SEQUENCES_A_MINUTE) : steps * batchSize,
    endToken: await findEndToken(located),
  })
  if (texts.repeated > 0) {
    options.onNote?.(
      `passed over ${formatQuantity(texts.repeated, 'text')} to train on, which the model is measured on`,
    )
  }
  return texts
}

async function trainForm(
  { model, settings, form, texts }: Work,
  options: HealOptions,
): Promise<{ ended: HealResult['ended']; state: TrainingState }> {
  const { output, signal, threads, device = 'cpu', onProgress, layersAtOnce } = options
  const identity = identifyRun(model, settings, form, texts)
  const start = startTraining(form.start, settings)
  const state = options.resume
    ? await loadState(statePath(output), start, identity, settings.weightDecay)
    : start
  const source = await GradientSource.open(form.decoder, model.config, {
    threads,
    device,
    trained: form.trained,
    layersAtOnce,
  })
  try {
    const ended = await train({
      source,
      settings,
      choose: chooseSequences(texts.training.sequences, {
        seed: settings.seed,
        perStep: settings.batchSize,
      }),
      heldOut: texts.heldOut.batches,
      state,
      signal,
      onCheckpoint: (state) => saveState(statePath(output), state, identity),
      onProgress: (progress) => onProgress?.({ stage: 'training', ...progress }),
    })
    return { ended, state }
  } finally {
    await source.close()
  }
}

async function measureHeldOut(
  model: Model,
  stage: 'before' | 'after',
  { texts, tokenizer, settings }: Work,
  { threads, device = 'cpu', signal, onProgress }: HealOptions,
): Promise<Figures | undefined> {
  const { batches } = texts.heldOut
  const total = batches.flat().length
  const [figures] = await measureTexts(model, [[]], {
    threads,
    device,
    signal,
    batches,
    countBytes: (text) => countScoredBytes(text, tokenizer.decode, settings.maxLength),
    onTexts: (texts) => onProgress?.({ stage, texts, total }),
  })
  return figures
}

function compare(
  before: Figures | undefined,
  after: Figures | undefined,
): Pick<HealResult, 'perplexity' | 'standardError'> {
  return {
    perplexity: { before: before?.perplexity ?? null, after: after?.perplexity ?? null },
    standardError: { before: before?.standardError ?? null, after: after?.standardError ?? null },
  }
}

function describeWork(
  { located, modules, form, settings, texts }: Work,
  { optimizer, seconds, curve, best }: TrainingState,
  { adapter }: HealOptions,
): Omit<HealFacts, 'ended' | 'perplexity' | 'standardError'> {
  const { training, heldOut, repeated } = texts
  const measured = heldOut.batches.flat()
  return {
    schema: SCHEMAS.heal,
    model: located.id,
    written: adapter ? 'adapter' : 'model',
    trained: {
      modules,
      adapters: form.adapters?.form ?? null,
      parameters: [...form.start.values()].reduce((sum, { length }) => sum + length, 0),
    },
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
    bestStep: best!.step,
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
  const { output, signal } = options
  await assertRoom(
    folder,
    files.reduce((sum, file) => sum + sizeOf(file), 0),
  )
  await fillFolder(folder, (temporary) =>
    writePlannedFiles(temporary, files, { named: output, signal, onWritten: () => {} }),
  )
}

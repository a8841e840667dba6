import { LayerpruneError, UsageError } from '../../base/errors.js'
import { formatQuantity } from '../../base/format-numbers.js'
import { nameFlag } from '../../base/name-option.js'
import {
  chooseModelWeights,
  type LocatedModel,
  locateModel,
  type Model,
  openWeights,
  prepareModel,
  provideWeights,
} from '../../engine/model.js'
import { SessionProcess } from '../../engine/sessions/session-process.js'
import type { ComputedDtype } from '../../files/checkpoint/choose-weights.js'
import type { ModelSourceOptions } from '../../files/checkpoint/model-source.js'
import { ADAPTER_FILE } from '../../files/checkpoint/other-forms.js'
import type { TensorLocation } from '../../files/checkpoint/safetensors.js'
import { describeDecoder } from '../../model/builder/build-decoder.js'
import { joinTeacher } from '../../model/gradient/join-teacher.js'
import type { Teacher } from '../../model/gradient/loss.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { readStoredPart } from '../../model/graph/stored-part.js'
import type { Plan } from '../../results/documents/plan.js'
import { describeReuse, type TextUses } from '../../results/documents/text-uses.js'
import { createChatWriter } from '../../texts/tokens/chat-writer.js'
import { TokenizerProcess } from '../../texts/tokens/tokenizer-process.js'
import { mostTokens } from '../run/length-limits.js'
import { assertCounts, assertRunCounts, chooseRunSettings, type RunningOptions } from '../run/run-options.js'
import { listCompanions } from '../write-model/companion-files.js'
import { findPlan, readUses } from '../write-model/find-plan.js'
import { type ClaimedFolder, claimFolder } from '../write-model/output-folder.js'
import { findCommonStates } from './common-states.js'
import { findEndToken, type HealTextOptions, type HealTexts, readHealTexts } from './heal-texts.js'
import { hasState, statePath } from './saved-state.js'
import { chooseTraining, type TrainingOptions, type TrainingSettings } from './settings.js'
import { listTargets } from './targets.js'
import { type FormOptions, makeTrainable, type TrainedForm } from './trained-form.js'

export interface HealOptions extends ModelSourceOptions, HealTextOptions, TrainingOptions, RunningOptions, FormOptions {
  /** Folder to write the healed model to. */
  output: string
  /** Name of the model in the result and card; `model` if omitted. */
  named?: string | undefined
  /** Names of the modules to train, or the ends of their paths; those of the MLPs if omitted. */
  targets?: string[] | undefined
  /** Folder or Hub id of a model whose probabilities are learnt instead of the next token, as the whole model's. */
  teacher?: string | undefined
  /** Folder or Hub id of the whole model, to report its perplexity too; if omitted, the model's plan may know it. */
  whole?: string | undefined
  /** Precision that frozen weights are held in, the one they are stored in or fp32; they are computed with in fp32. */
  dtype?: HeldDtype | undefined
  /** Writes the adapter alone instead of the model. */
  adapter?: boolean | undefined
  /** Layers whose values are held at once; all if omitted. Fewer take less memory and more time. */
  layersAtOnce?: number | undefined
  /** Memory limit in bytes, kept by holding fewer layers at once. */
  maxMemory?: number | undefined
  /** Continues a training that was stopped. */
  resume?: boolean | undefined
  /** Replaces a model that is in the output folder, and a training that was stopped. */
  force?: boolean | undefined
  /** The command that is run, for the model card. */
  command?: string | undefined
}

/** Precisions that frozen weights can be held in. */
export type HeldDtype = Exclude<ComputedDtype, 'q8'>

/** Tokens of a sequence, unless the user says otherwise or the model takes fewer. */
export const MAX_LENGTH = 256

/** Maximum sequences to read if minutes decide: more than any processor trains on in that time. */
const SEQUENCES_A_MINUTE = 1000

/** @throws UsageError if an option is out of range, or two contradict each other */
export function checkOptions(options: HealOptions): void {
  const { wholeMatrices, adapter, rank, alpha, evaluateSize, teacher, teacherStates } = options
  const { layersAtOnce, maxMemory } = options
  assertRunCounts({ ...options, batchSize: undefined })
  assertCounts({
    'texts to measure on': evaluateSize,
    'layers at once': layersAtOnce,
    'max memory': maxMemory,
  })
  if (layersAtOnce !== undefined && maxMemory !== undefined) {
    throw new UsageError('`maxMemory` and `layersAtOnce` exclude each other: both set how many layers are held')
  }
  if (teacherStates !== undefined && teacher === undefined) {
    throw new UsageError('`teacherStates` requires `teacher`')
  }
  if (!wholeMatrices) return
  if (adapter) throw new UsageError('`adapter` cannot be combined with `wholeMatrices`')
  if (rank !== undefined || alpha !== undefined) {
    throw new UsageError('`rank` and `alpha` cannot be combined with `wholeMatrices`, which trains no adapter')
  }
}

/** A teacher in one graph with the decoder that is trained. */
export interface OpenedTeacher extends Teacher {
  /** As the user named it. */
  id: string
  model: Model
}

/** The model that is trained, and its trained parts. */
export interface Student {
  located: LocatedModel
  model: Model
  /** Stored tensors of the decoder. */
  tensors: Map<string, TensorLocation>
  modules: string[]
  form: TrainedForm
  /** With the trained weights as inputs, without a teacher. */
  adapted: DecoderGraph
  /** Null if the next token is learnt. */
  teacher: OpenedTeacher | null
  /** The model that this one was cut from; null if it is not named. */
  whole: Model | null
}

export interface HealData {
  tokenizer: TokenizerProcess
  texts: HealTexts
  /** The plan of the cut that made the model; undefined if it has none. */
  plan: Plan | undefined
  /** Texts that the model was made with and measured on before. */
  uses: TextUses
}

export interface Work {
  student: Student
  data: HealData
  settings: TrainingSettings
  folder: ClaimedFolder
  /** Where the model is run. */
  apart: SessionProcess
}

/**
 * Opens the model, locks the output and reads the texts; trains and writes nothing. Throws as `healModel`, and then
 * releases the lock.
 */
export async function openWork(options: HealOptions): Promise<Work> {
  const { output, force, onNote, onProgress } = options
  onProgress?.({ phase: 'opening the model', done: 0, total: null })
  const located = await locateModel(options)
  const folder = await claimFolder(output, {
    source: located.folder,
    known: [...(await listCompanions(located.source)), ...(options.adapter ? [ADAPTER_FILE] : [])],
    force,
    onNote,
  })
  // it starts while the texts are read
  const apart = new SessionProcess(options.signal)
  try {
    return { ...(await openTexts(located, options)), folder, apart }
  } catch (cause) {
    apart.end()
    folder.lock.release()
    throw cause
  }
}

async function openTexts(located: LocatedModel, options: HealOptions): Promise<Omit<Work, 'folder' | 'apart'>> {
  const { signal, onProgress } = options
  await checkStopped(options)
  if (options.adapter && located.config.wrapper !== null) {
    throw new LayerpruneError(
      `no adapter can be written for ${located.config.wrapper}: transformers names its modules in another way than the checkpoint`,
      { hint: 'without `adapter` the healed model itself is written' },
    )
  }
  const model = await openFrozen(located, options)
  if (!options.adapter) assertPlain(model)
  const settings = chooseSettings(options, model)
  const student = await openStudent(located, model, settings, options)
  const tokenizer = new TokenizerProcess(located.folder, signal)
  try {
    onProgress?.({ phase: 'reading texts', done: 0, total: null })
    const [plan, uses] = [await findPlan(located), await readUses(located)]
    const texts = await readTexts(options, located, uses, tokenizer, settings)
    return { student, data: { tokenizer, texts, plan, uses }, settings }
  } catch (cause) {
    tokenizer.close()
    throw cause
  }
}

async function openStudent(
  located: LocatedModel,
  model: Model,
  { seed }: TrainingSettings,
  options: HealOptions,
): Promise<Student> {
  const tensors = decoderTensors(model)
  const modules = listTargets(describeDecoder(model.config, tensors), tensors, options.targets)
  const trainable = await makeTrainable(model.decoder, tensors, modules, { ...options, seed })
  const { form, teacher } = await addTeacher(trainable, located, options)
  const whole = options.whole === undefined ? null : await openOther(options.whole, options)
  return { located, model, tensors, modules, form, adapted: trainable.decoder, teacher, whole }
}

async function openFrozen(
  located: LocatedModel,
  { dtype, signal, onNote }: Pick<HealOptions, 'dtype' | 'signal' | 'onNote'>,
): Promise<Model> {
  const chosen = chooseModelWeights(located, { format: 'safetensors', dtype }, 'train')
  await provideWeights(located, chosen)
  return prepareModel(await openWeights(located, chosen, { onNote }), { signal, onNote })
}

const PLAIN_MODEL = 'take the model that it was made from'

/** @throws LayerpruneError if a model's weights are packed */
export function assertPlain(
  { id, packing }: Model,
  hint = `train an adapter for it with layerprune heal ${nameFlag('adapter')}, or ${PLAIN_MODEL}`,
): void {
  if (packing === null) return
  throw new LayerpruneError(
    `the weights of ${id} are packed (${packing.form}), so nothing can be merged into them or learnt from them`,
    { hint },
  )
}

async function addTeacher(
  form: TrainedForm,
  located: LocatedModel,
  options: HealOptions,
): Promise<{ form: TrainedForm; teacher: OpenedTeacher | null }> {
  const { teacher: id, teacherStates: weight } = options
  if (id === undefined) return { form, teacher: null }
  const model = await openOther(id, options)
  assertPlain(model, PLAIN_MODEL)
  const { student, teacher } = joinTeacher(form.decoder, model.decoder)
  const common = weight === undefined ? undefined : { states: await findCommonStates(located, model), weight }
  return { form: { ...form, decoder: student }, teacher: { ...teacher, common, id, model } }
}

/** Another model than the trained one: its 16-bit weights are held as that one's, whichever type they are stored in. */
async function openOther(id: string, options: HealOptions): Promise<Model> {
  const { ignoreConfigKey: _, revision: __, ...others } = options
  return openFrozen(await locateModel({ ...others, model: id }), { ...options, dtype: undefined })
}

/** A stopped training is neither dropped nor resumed unless the user asks for it. */
async function checkStopped({ output, resume, force }: HealOptions): Promise<void> {
  const path = statePath(output)
  const isThere = await hasState(output)
  if (isThere && !resume && !force) {
    throw new LayerpruneError(`${path} holds the state of a stopped training`, {
      hint: 'continue it with `resume`, or start again with `force`',
    })
  }
  if (!isThere && resume) {
    throw new LayerpruneError(`there is no training to resume: missing ${path}`, {
      hint: 'start without `resume`, or name the `output` of the stopped training',
    })
  }
}

function chooseSettings(options: HealOptions, model: Model): TrainingSettings {
  const asked = options.maxLength ?? Math.min(MAX_LENGTH, mostTokens(model))
  const { maxLength } = chooseRunSettings({ maxLength: asked }, model, options.onNote)
  if (maxLength < 2) throw new UsageError('max length must be at least 2: one token has none before it')
  return chooseTraining(options, maxLength)
}

/** Stored tensors that the graph computes with; a model of images and text has others too. */
export function decoderTensors({ decoder, tensors }: Model): Map<string, TensorLocation> {
  const used = new Set(decoder.model.graph.initializer.map(({ name }) => readStoredPart(name).tensor))
  return new Map([...tensors!].filter(([name]) => used.has(name)))
}

async function readTexts(
  options: HealOptions,
  located: LocatedModel,
  uses: TextUses,
  tokenizer: TokenizerProcess,
  { maxLength, batchSize, steps, minutes, microBatchSize }: TrainingSettings,
): Promise<HealTexts> {
  const writeChat = createChatWriter(() => located.tokenizer, options.signal)
  const texts = await readHealTexts({ ...options, writeChat }, tokenizer.encode, {
    maxLength,
    batchSize: microBatchSize,
    most: steps === null ? Math.ceil(minutes! * SEQUENCES_A_MINUTE) : steps * batchSize,
    endToken: await findEndToken(located),
    uses,
  })
  if (texts.repeated > 0) {
    options.onNote?.(
      `skipped ${formatQuantity(texts.repeated, 'text')} to train on, because the model is measured on them`,
    )
  }
  if (texts.isReused) options.onNote?.(describeReuse(texts.heldOut.id))
  else if (texts.leftOut > 0) {
    options.onNote?.(
      `measuring on none of ${formatQuantity(texts.leftOut, 'text')} that the layers were chosen or the repair fitted on`,
    )
  }
  return texts
}

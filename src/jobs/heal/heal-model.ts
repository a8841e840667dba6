import { basename, resolve } from 'node:path'
import { InterruptedError, LayerpruneError } from '../../base/errors.js'
import { storeWeights } from '../../model/gradient/fed-weights.js'
import { replaceWeights } from '../../model/graph/replace-weights.js'
import type { Figures } from '../../results/documents/evaluation-result.js'
import { SCHEMAS } from '../../results/documents/schemas.js'
import { interruptible } from '../run/interruptible.js'
import { assertRoom, fillFolder, type OutputFolder } from '../write-model/output-folder.js'
import { type PlannedFile, sizeOf, sumPlanned } from '../write-model/planned-file.js'
import { writePlannedFiles } from '../write-model/write-planned.js'
import type { HealFacts, HealResult } from './heal-result.js'
import { checkOptions, type HealOptions, openWork, type Work } from './heal-work.js'
import { planAdapter, planHealedModel } from './healed-files.js'
import { hasState, removeState, STATE_COPIES, statePath } from './saved-state.js'
import { planRecord, recallWhole, recordUses } from './text-record.js'
import { measureHeldOut, type Trained, trainForm } from './train-form.js'
import { mergeTrained } from './trained-form.js'
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
  const when = options.resume ? 'before the training went on' : 'before the first step'
  return interruptible(options.signal, when, () => heal(options))
}

async function heal(options: HealOptions): Promise<HealResult> {
  const work = await openWork(options)
  try {
    await assertRoom(work.folder, countBytes(work, options))
    const trained = await trainForm(work, options)
    return await finish(work, trained, options).catch((cause) => explainFailure(cause, options))
  } finally {
    work.data.tokenizer.close()
    work.apart.end()
    work.folder.lock.release()
  }
}

/** Bytes that the training writes: the model or adapter and, beside it, the state, which a resumed run finds there. */
function countBytes({ student: { model, form } }: Work, { adapter, resume }: HealOptions): number {
  const trainedBytes = [...form.start.values()].reduce((sum, { byteLength }) => sum + byteLength, 0)
  const modelBytes = [...model.tensors!.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  return (adapter ? trainedBytes : modelBytes) + (resume ? 0 : STATE_COPIES * trainedBytes)
}

/** Measures and writes what was trained, and then drops the state. */
async function finish(work: Work, { ended, state, before }: Trained, options: HealOptions): Promise<HealResult> {
  const { output, adapter } = options
  const { student, data, folder } = work
  const { located, model, form, adapted, tensors } = student
  const { parameters } = state.best
  const replacements = adapter ? new Map() : await mergeTrained(form, parameters, tensors)
  const decoder = adapter
    ? storeWeights(adapted, form.trained, parameters)
    : replaceWeights(model.decoder, replacements)
  const after = await measureHeldOut({ ...model, decoder }, 'after', work, options)
  const whole = await findWhole(work, options)
  const compared = compare(whole, before, after)
  const texts = recordUses(data, work.settings, compared)
  const facts = { ...describeWork(work, state, options), ended, ...compared, texts }
  const record = planRecord(data, texts)
  const made = { name: basename(resolve(output)), record: record.name, command: options.command }
  const files = adapter
    ? await planAdapter(located, form, parameters, tensors, facts, made)
    : await planHealedModel(located, replacements, facts, made)
  files.push(record)
  const result = describeFiles(facts, folder, files)
  await write(folder, files, options)
  await removeState(statePath(output))
  return result
}

/** Adds to a failure after the training that the training is not lost. */
async function explainFailure(cause: unknown, { output, signal }: HealOptions): Promise<never> {
  if (!(await hasState(output))) throw cause
  if (signal?.aborted) throw new InterruptedError('after the training; `resume` writes the model')
  if (!(cause instanceof LayerpruneError)) throw cause
  const { message, hint } = cause
  const kept = 'the training is kept, and `resume` writes the model'
  throw new LayerpruneError(message, { hint: hint === undefined ? kept : `${hint}; ${kept}`, cause })
}

/** The whole model on the held-out texts: measured if `whole` names it, or as the plan of the pruned one says. */
async function findWhole(work: Work, options: HealOptions) {
  const { student, data, settings } = work
  if (student.whole === null) return recallWhole(data, settings)
  return measureHeldOut(student.whole, 'whole', work, options)
}

function compare(
  whole: Pick<Figures, 'perplexity' | 'standardError'> | undefined,
  before: Figures,
  after: Figures | undefined,
): Pick<HealResult, 'perplexity' | 'standardError'> {
  return {
    perplexity: {
      ...(whole && { whole: whole.perplexity }),
      ...{ before: before.perplexity, after: after?.perplexity ?? null },
    },
    standardError: {
      ...(whole && { whole: whole.standardError }),
      ...{ before: before.standardError, after: after?.standardError ?? null },
    },
  }
}

function describeWork(
  { student: { located, modules, form, teacher }, data: { texts }, settings }: Work,
  { optimizer, seconds, curve, best }: TrainingState,
  { adapter, named = located.id }: HealOptions,
): Omit<HealFacts, 'ended' | 'perplexity' | 'standardError' | 'texts'> {
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

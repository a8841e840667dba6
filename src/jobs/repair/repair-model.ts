import { digest } from '../../base/digest.js'
import { InterruptedError } from '../../base/errors.js'
import { formatQuantity } from '../../base/format-numbers.js'
import { type Model, openModel, prepareModel } from '../../engine/model.js'
import { SessionProcess } from '../../engine/sessions/session-process.js'
import type { Replacement } from '../../files/weights/replacement.js'
import type { Block } from '../../model/layers/block.js'
import { describeReuse, joinUses, type TextUses } from '../../results/documents/text-uses.js'
import type { ReadingOptions } from '../../texts/data/dataset.js'
import { createChatWriter } from '../../texts/tokens/chat-writer.js'
import { TokenizerProcess } from '../../texts/tokens/tokenizer-process.js'
import { countScoredBytes } from '../evaluate/scored-bytes.js'
import { describeModel } from '../run/describe-model.js'
import { mostTokens } from '../run/length-limits.js'
import { assertCounts, assertRunCounts, chooseRunSettings, type RunSettings } from '../run/run-options.js'
import { identifyWork, type ResumeOptions } from '../run/saved-work.js'
import { findUses } from '../write-model/find-plan.js'
import { makeReplacements } from './make-replacements.js'
import { measureRepair } from './measure-repair.js'
import { type PhaseFigures, PhaseMeter } from './phase-meter.js'
import { findRepairs, repairCuts } from './repair-cuts.js'
import { openRepairLayers, type RepairLayers } from './repair-layers.js'
import { limitRepairMemory } from './repair-memory.js'
import { makeRepairReport, type RepairReport } from './repair-report.js'
import { KnownFits, type RepairState } from './repair-state.js'
import { type RepairTextOptions, type RepairTexts, readRepairTexts } from './repair-texts.js'
import { TensorStore } from './tensor-store.js'

export interface RepairModelOptions extends RepairTextOptions, ResumeOptions<RepairState> {
  removed: Block[]
  /** Tokens read of each text; if omitted, 256 or the model's limit. */
  maxLength?: number | undefined
  /** Memory limit of the process in bytes; layers are then loaded as needed, and states may be on disk. */
  maxMemory?: number | undefined
  /** Called at the end with the time and the memory of each phase. */
  onPhases?: ((phases: PhaseFigures[]) => void) | undefined
}

const MAX_LENGTH = 256

/**
 * Repairs a model from which blocks of layers are removed, and measures it whole, cut and repaired, on texts that the
 * repair was not fitted on.
 * @returns the changed weights by their names in the whole model, the report, and which texts had which part in it
 * @throws UsageError if an option is out of range, or a block does not fit the model
 * @throws InterruptedError if `signal` was aborted
 * @throws LayerpruneError if the model or the texts cannot be used, or this kind of model cannot be repaired
 */
export async function repairModel(
  options: RepairModelOptions,
): Promise<{ replacements: Map<string, Replacement>; report: RepairReport; uses: TextUses }> {
  assertRunCounts(options)
  assertCounts({ 'texts to measure on': options.evaluateSize, 'max memory': options.maxMemory })
  const { removed, maxMemory, threads, device = 'cpu', signal, onNote, onProgress } = options
  // a limit counts the memory of this process alone
  const apart = maxMemory === undefined ? new SessionProcess(signal) : undefined
  const session = { threads, device, apart }
  let tokenizer: TokenizerProcess | undefined
  let layers: RepairLayers | undefined
  let store: TensorStore | undefined
  const meter = new PhaseMeter()
  try {
    const opened = await meter.time('opening', () => openInputs(options))
    const { model, settings, texts } = opened
    tokenizer = opened.tokenizer
    layers = await openRepairLayers(model, removed, session, maxMemory !== undefined)
    const batches = [...texts.calibration.batches, ...texts.evaluation.batches]
    const room = maxMemory && limitRepairMemory(model, { layers, removed, batches }, maxMemory)
    const kept = new TensorStore(room)
    store = kept
    const known = await openKnown(model, texts, options)
    const repairs = await repairCuts(model, {
      ...{ threads, device, signal, known },
      layers,
      store,
      meter,
      removed,
      batches: texts.calibration.batches,
      onProgress,
    })
    const changes = repairs.flatMap((repair) => repair.changes)
    const replacements = await makeReplacements(model.decoder, changes)
    const changed = new Set(repairs.map(({ layer }) => layer))
    const figures = await meter.time('perplexity', () =>
      measureRepair(
        { model, layers: layers!, removed, changed, replacements },
        {
          ...session,
          signal,
          store: kept,
          batches: texts.evaluation.batches,
          countBytes: (text) => countScoredBytes(text, opened.tokenizer.decode, settings.maxLength),
          onProgress,
        },
      ),
    )
    if (!((figures.repaired?.perplexity ?? Infinity) < (figures.cut?.perplexity ?? Infinity))) {
      onNote?.('the repair did not lower the perplexity of the cut: without `repair` the model is no worse')
    }
    options.onPhases?.(meter.figures())
    const report = makeRepairReport(repairs, texts, figures, settings.maxLength)
    return { replacements, report, uses: recordUses(texts, report) }
  } catch (cause) {
    throw signal?.aborted ? new InterruptedError('before the repair was complete') : cause
  } finally {
    tokenizer?.close()
    await layers?.close()
    apart?.end()
    await store?.close()
  }
}

/** @throws LayerpruneError if what is resumed is of another repair */
async function openKnown(model: Model, { calibration }: RepairTexts, options: RepairModelOptions): Promise<KnownFits> {
  const { resumeFrom, onSaved, ...named } = options
  if (resumeFrom === undefined && onSaved === undefined) return new KnownFits()
  const { fingerprint } = await describeModel(model, options)
  const identity = {
    ...identifyWork(fingerprint, named),
    'the texts to fit on': digest(calibration.batches.flat().map(({ ids }) => ids)).slice(0, 12),
  }
  return new KnownFits(identity, { resumeFrom, onSaved })
}

function recordUses({ calibration, evaluation }: RepairTexts, report: RepairReport): TextUses {
  const { maxLength } = report.calibration
  return {
    fitted: [calibration.record],
    measured: {
      ...evaluation.record,
      maxLength,
      perplexity: { ...report.perplexity },
      standardError: { ...report.standardError },
    },
  }
}

/** Opens the model and reads the texts; the tokenizer is to be closed. */
async function openInputs(options: RepairModelOptions) {
  const { removed, signal, onNote, onProgress } = options
  onProgress?.({ phase: 'opening the model', done: 0, total: null })
  const source = await openModel(options, 'change', { longest: options.maxLength })
  const model = await prepareModel(source, options)
  findRepairs(model, removed)
  const maxLength = options.maxLength ?? Math.min(MAX_LENGTH, mostTokens(model))
  const settings = chooseRunSettings({ ...options, maxLength }, model, onNote)
  const tokenizer = new TokenizerProcess(model.tokenizer, signal)
  try {
    onProgress?.({ phase: 'reading texts', done: 0, total: null })
    const writeChat = createChatWriter(() => model.tokenizer, signal)
    const leaveOut = joinUses(await findUses(options), options.leaveOut)
    const texts = await readTexts({ ...options, writeChat, leaveOut }, tokenizer, settings)
    return { model, settings, texts, tokenizer }
  } catch (cause) {
    tokenizer.close()
    throw cause
  }
}

async function readTexts(
  options: RepairModelOptions & ReadingOptions,
  { encode }: TokenizerProcess,
  settings: RunSettings,
): Promise<RepairTexts> {
  const texts = await readRepairTexts(options, encode, settings)
  const { calibration, evaluation } = texts
  if (evaluation.repeated > 0) {
    options.onNote?.(
      `skipped ${formatQuantity(evaluation.repeated, 'text')} to measure on, because the repair is fitted on them`,
    )
  }
  if (calibration.repeated > 0) {
    options.onNote?.(
      `skipped ${formatQuantity(calibration.repeated, 'text')} to fit on, because the repair is measured on them`,
    )
  }
  if (evaluation.isReused) options.onNote?.(describeReuse(evaluation.id))
  else if (evaluation.leftOut > 0) {
    options.onNote?.(
      `skipped ${formatQuantity(evaluation.leftOut, 'text')} to measure on, because the layers were chosen on them`,
    )
  }
  return texts
}

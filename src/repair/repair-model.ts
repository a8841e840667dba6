import type { Figures } from '../documents/evaluation-result.js'
import type { SessionOptions } from '../engine/session.js'
import { InterruptedError } from '../errors.js'
import { openEvaluator } from '../evaluate/evaluator.js'
import { countScoredBytes } from '../evaluate/scored-bytes.js'
import { Tally } from '../evaluate/tally.js'
import { assertWholeFinite } from '../evaluate/whole-model.js'
import { formatQuantity } from '../format-numbers.js'
import { replaceWeights } from '../graph/replace-weights.js'
import type { Block } from '../layers/block.js'
import { type Model, openModel, prepareModel } from '../model.js'
import { findLengthLimits } from '../run/length-limits.js'
import { assertCounts, assertRunCounts, chooseRunSettings, type RunSettings } from '../run/run-options.js'
import { TokenizerThread } from '../texts/tokenizer-thread.js'
import type { ReadText } from '../texts/windows.js'
import type { Replacement } from '../weights/replacement.js'
import { makeReplacements } from './make-replacements.js'
import { findRepairs, repairCuts } from './repair-cuts.js'
import { makeRepairReport, type RepairFigures, type RepairReport } from './repair-report.js'
import { type RepairTextOptions, type RepairTexts, readRepairTexts } from './repair-texts.js'

export interface RepairModelOptions extends Omit<RepairTextOptions, 'onProgress'> {
  /** Blocks to remove. */
  removed: Block[]
  /** Tokens read of each text; if omitted, 256 or the model's limit. */
  maxLength?: number | undefined
  onProgress?: ((progress: { done: number; total: number; unit: 'cut' | 'text' }) => void) | undefined
}

const MAX_LENGTH = 256

/**
 * Repairs a model from which blocks of layers are removed, and measures it whole, cut and repaired, on texts that the
 * repair was not fitted on.
 * @returns the changed weights by their names in the whole model, and the report
 * @throws UsageError if an option is out of range, or a block does not fit the model
 * @throws InterruptedError if `signal` was aborted
 * @throws LayerpruneError if the model or the texts cannot be used, or this kind of model cannot be repaired
 */
export async function repairModel(
  options: RepairModelOptions,
): Promise<{ replacements: Map<string, Replacement>; report: RepairReport }> {
  assertRunCounts(options)
  assertCounts({ 'texts to measure on': options.evaluateSize })
  const { removed, threads, device = 'cpu', signal, onNote, onProgress } = options
  const session = { threads, device, signal }
  let tokenizer: TokenizerThread | undefined
  try {
    const model = await prepareModel(await openModel(options, 'change'), options)
    findRepairs(model, removed)
    const limits = findLengthLimits(model).map(({ tokens }) => tokens)
    const maxLength = options.maxLength ?? Math.min(MAX_LENGTH, ...limits)
    const settings = chooseRunSettings({ ...options, maxLength }, model, onNote)
    tokenizer = new TokenizerThread(model.tokenizer, signal)
    const texts = await readTexts(options, tokenizer, settings)
    const repairs = await repairCuts(model, {
      ...session,
      removed,
      batches: texts.calibration.batches,
      onProgress: ({ cuts, total }) => onProgress?.({ done: cuts, total, unit: 'cut' }),
    })
    const changes = repairs.flatMap((repair) => repair.changes)
    const replacements = await makeReplacements(model.decoder, changes)
    const figures = await compare(model, replacements, {
      ...session,
      removed,
      batches: texts.evaluation.batches,
      countBytes: (text) => countScoredBytes(text, tokenizer!.decode, settings.maxLength),
      onProgress: (progress) => onProgress?.({ ...progress, unit: 'text' }),
    })
    if (!((figures.repaired?.perplexity ?? Infinity) < (figures.cut?.perplexity ?? Infinity))) {
      onNote?.('the repair did not lower the perplexity of the cut: without --repair the model is no worse')
    }
    return { replacements, report: makeRepairReport(repairs, texts, figures, settings.maxLength) }
  } catch (cause) {
    throw signal?.aborted
      ? new InterruptedError('before the repair was complete; nothing is left of it')
      : cause
  } finally {
    tokenizer?.close()
  }
}

async function readTexts(
  options: RepairModelOptions,
  { encode }: TokenizerThread,
  settings: RunSettings,
): Promise<RepairTexts> {
  const texts = await readRepairTexts({ ...options, onProgress: undefined }, encode, settings)
  const { repeated } = texts.evaluation
  if (repeated > 0) {
    options.onNote?.(
      `passed over ${formatQuantity(repeated, 'text')} to measure on, which the repair is fitted on too`,
    )
  }
  return texts
}

interface Comparison extends SessionOptions {
  removed: Block[]
  batches: ReadText[][]
  /** Bytes in UTF-8 that the scored tokens of a text stand for. */
  countBytes: (text: ReadText) => Promise<number>
  signal?: AbortSignal | undefined
  onProgress: (progress: { done: number; total: number }) => void
}

/**
 * Measures a model whole, cut, and cut with some of its weights replaced.
 * @throws LayerpruneError if the whole model's likelihood of a text is not finite
 */
async function compare(
  model: Model,
  replacements: ReadonlyMap<string, Replacement>,
  { removed, onProgress, ...options }: Comparison,
): Promise<RepairFigures> {
  const texts = options.batches.flat().length
  const report = (before: number) => (done: number) => onProgress({ done: before + done, total: 2 * texts })
  const [whole, cut] = await measure(model, [[], removed], { ...options, onTexts: report(0) })
  const repairedModel = { ...model, decoder: replaceWeights(model.decoder, replacements) }
  const [repaired] = await measure(repairedModel, [removed], { ...options, onTexts: report(texts) })
  return { whole, cut, repaired }
}

/** Figures of the candidates over all texts; undefined if they are not finite. */
async function measure(
  model: Model,
  candidates: Block[][],
  {
    batches,
    countBytes,
    onTexts,
    ...options
  }: Omit<Comparison, 'removed' | 'onProgress'> & { onTexts: (done: number) => void },
): Promise<(Figures | undefined)[]> {
  const evaluator = await openEvaluator(model, { ...options, blocks: candidates.flat() })
  const tally = new Tally(candidates.length)
  let done = 0
  try {
    for (const batch of batches) {
      const scores = await evaluator.measure(batch, candidates)
      for (const [index, text] of batch.entries()) {
        const nats = Float64Array.from(scores, (row) => row[index]!)
        if (candidates[0]!.length === 0) assertWholeFinite(nats[0]!, text)
        tally.addText(nats, text.ids.length - 1, await countBytes(text))
      }
      done += batch.length
      onTexts(done)
    }
  } finally {
    await evaluator.close()
  }
  return candidates.map((_, index) => (tally.hasFailed(index) ? undefined : tally.figures(index)))
}

import { InterruptedError, LayerpruneError, UsageError } from '../../base/errors.js'
import { formatQuantity } from '../../base/format-numbers.js'
import { VERSION } from '../../base/version.js'
import type { Model } from '../../engine/model.js'
import type { Block } from '../../model/layers/block.js'
import { normalizeBlocks } from '../../model/layers/blocks.js'
import type { EvaluationResult, TextFigures } from '../../results/documents/evaluation-result.js'
import { SCHEMAS } from '../../results/documents/schemas.js'
import type { TextTotal } from '../../texts/data/count-texts.js'
import type { Dataset } from '../../texts/data/dataset.js'
import { isInShard, type Shard } from '../../texts/tokens/placed-rows.js'
import { batchScoredTexts, skipRows, type TextBatches } from '../../texts/tokens/scored-texts.js'
import { TokenizerProcess } from '../../texts/tokens/tokenizer-process.js'
import type { ReadText } from '../../texts/tokens/windows.js'
import { describeModel } from '../run/describe-model.js'
import { interruptible } from '../run/interruptible.js'
import { openInputs } from '../run/open-inputs.js'
import {
  assertCounts,
  assertRunCounts,
  chooseRunSettings,
  type RunOptions,
  type RunSettings,
} from '../run/run-options.js'
import { Answers, identifyWork, type ResumeOptions } from '../run/saved-work.js'
import { TextWork } from '../run/text-work.js'
import { EvaluationSums } from './evaluation-sums.js'
import type { Compared, Evaluator, EvaluatorOptions } from './evaluator.js'
import { openMeasuringEvaluator } from './limited-evaluator.js'
import { rememberCompared } from './remember.js'
import { countScoredBytes } from './scored-bytes.js'
import { ShardRecord } from './shard-record.js'
import { assertWholeFinite } from './whole-model.js'

/** Options of every measurement of a model's predictions of texts. */
export interface ScoringOptions extends RunOptions, ResumeOptions {
  /** Texts to skip at the start of the dataset, for example those that a plan was made from; `datasetSize` counts from there. */
  datasetSkip?: number | undefined
  /** Called with every text, in the order in which they were run, for comparisons over texts. */
  onText?: ((score: TextScore) => void) | undefined
}

export interface EvaluationOptions extends ScoringOptions {
  /** Blocks to remove, for each candidate. The whole model is measured in any case. */
  candidates?: Block[][] | undefined
  /** Memory limit of the process in bytes; layers are then loaded as needed. */
  maxMemory?: number | undefined
  /** Measures every Nth batch from the ith on, of all texts. */
  shard?: Shard | undefined
}

/** Opens what measures candidates. It advances while it runs a batch, and not at all if it knows the result. */
export type OpenEvaluator = (model: Model, options: EvaluatorOptions) => Promise<Pick<Evaluator, 'compare' | 'close'>>

export interface TextScore {
  /** Where the text came from: file and line or row. */
  origin: string
  scoredTokens: number
  /** Mean over its scored tokens in nats, of the whole model, then of each candidate. */
  negativeLogLikelihoods: number[]
}

/**
 * Measures the perplexity of a model, whole and without blocks of layers, and how far what it predicts without them is
 * from what the whole model predicts. No pruned model is written: the
 * kept layers are run one after another, and those that candidates have in common from the bottom up run once.
 *
 * Each text is cut at `maxLength` tokens and stands alone; every token but its first is scored, given those before it.
 * @param open  what measures candidates; the model itself if omitted
 * @param more  what the numbers depend on besides the model and the options, if a run is resumed
 * @throws UsageError if an option is out of range, or a block does not fit the model
 * @throws InterruptedError if `signal` was aborted
 * @throws LayerpruneError if model or dataset cannot be used, or the model has no head
 */
export function evaluatePerplexity(
  options: EvaluationOptions,
  open: OpenEvaluator = openMeasuringEvaluator,
  more: object = {},
): Promise<EvaluationResult> {
  return interruptible(options.signal, 'before the first text', () => evaluate(options, open, more))
}

async function evaluate(options: EvaluationOptions, open: OpenEvaluator, more: object): Promise<EvaluationResult> {
  assertRunCounts(options)
  assertCounts({ 'max memory': options.maxMemory })
  const { signal, candidates = [], datasetSize, datasetSkip = 0, shard, onNote } = options
  if (!(Number.isSafeInteger(datasetSkip) && datasetSkip >= 0)) {
    throw new UsageError(`dataset skip must be a whole number of at least 0, found ${datasetSkip}`)
  }
  const limit = datasetSize === undefined ? undefined : datasetSkip + datasetSize
  const { dataset, model } = await openInputs({ ...options, datasetSize: limit })
  const removed = candidates.map((blocks) => normalizeBlocks(blocks, model.config.layers))
  const settings = chooseRunSettings(options, model, onNote)
  const described = await describeModel(model, options)
  const answers = Answers.openIfKept(() => identifyWork(described.fingerprint, { ...options, ...more }), options)
  const tokenizer = new TokenizerProcess(model.tokenizer, signal)
  const work = new TextWork()
  const rows = skipRows(dataset.rows(), datasetSkip)
  const texts = batchScoredTexts(rows, tokenizer.encode, settings, takeOwn(work, shard))
  const sums = new EvaluationSums(removed)
  const record = shard && new ShardRecord(shard)
  let evaluator: Awaited<ReturnType<OpenEvaluator>> | undefined
  try {
    options.onProgress?.({ phase: 'reading texts', done: 0, total: null })
    await tokenizer.loaded
    evaluator = await open(model, chooseSession(options, settings, removed))
    const compare = answers ? rememberCompared(evaluator, answers) : evaluator.compare.bind(evaluator)
    for await (const batch of texts) {
      if (record?.takes(batch) === false) continue
      const report = (share: number) => {
        const found = countTexts(dataset, options, settings)
        options.onProgress?.(work.describe('perplexity', sums.texts + share * batch.length, found))
      }
      const compared = await compareBatch(compare, batch, removed, { work, report })
      const scored: ScoredBatch = { batch, compared, decode: tokenizer.decode, maxLength: settings.maxLength }
      const figures = await scoreTexts(scored, options.onText)
      for (const text of figures) sums.addText(text)
      record?.add(figures)
    }
    signal?.throwIfAborted()
  } catch (cause) {
    const asked = datasetSize === undefined ? null : countTexts(dataset, options, settings)
    throw signal?.aborted ? new InterruptedError(sums.texts, asked?.texts) : cause
  } finally {
    tokenizer.close()
    await evaluator?.close()
  }
  const saved = record?.save()
  if (sums.texts === 0) throw noTextError(dataset, texts, datasetSkip)
  return {
    schema: SCHEMAS.evaluation,
    model: described,
    dataset: describeTexts(dataset, texts, sums, datasetSkip),
    settings: describeSettings(settings, options),
    ...sums.figures(),
    ...(saved && { shard: saved }),
    layerpruneVersion: VERSION,
  }
}

async function compareBatch(
  compare: Evaluator['compare'],
  batch: ReadText[],
  removed: Block[][],
  { work, report }: { work: TextWork; report: (share: number) => void },
): Promise<Compared[]> {
  let hasRun = false
  report(0)
  const compared = await compare(batch, removed, ({ share }) => {
    hasRun = true
    report(share)
  })
  if (!hasRun) work.skip(batch)
  return compared
}

/** Counts the work of the batches that are a shard's, or of all. */
function takeOwn(work: TextWork, shard: Shard | undefined): (batches: ReadText[][]) => void {
  if (shard === undefined) return (batches) => work.addWindow(batches)
  let seen = 0
  return (batches) => work.addWindow(batches.filter(() => isInShard(seen++, shard)))
}

function countTexts(
  dataset: Dataset,
  { datasetSkip = 0, shard }: EvaluationOptions,
  { batchSize }: RunSettings,
): TextTotal | null {
  const found = dataset.countTexts()
  if (found === null) return null
  const all = Math.max(0, found.texts - datasetSkip)
  if (shard === undefined) return { ...found, texts: all }
  let texts = 0
  for (let start = (shard.index - 1) * batchSize; start < all; start += shard.count * batchSize) {
    texts += Math.min(batchSize, all - start)
  }
  return { ...found, texts }
}

function chooseSession(
  { threads, device = 'cpu', signal, onNote, onProgress, maxMemory }: EvaluationOptions,
  { maxLength }: RunSettings,
  removed: Block[][],
): EvaluatorOptions {
  const limit = maxMemory === undefined ? undefined : { maxMemory, maxLength }
  return { threads, device, blocks: removed.flat(), limit, signal, onNote, onProgress }
}

interface ScoredBatch {
  batch: ReadText[]
  /** The whole model's, then each candidate's. */
  compared: Compared[]
  decode: TokenizerProcess['decode']
  maxLength: number
}

/** @throws LayerpruneError if the whole model's log-likelihood of a text is not finite */
async function scoreTexts(
  { batch, compared, decode, maxLength }: ScoredBatch,
  onText: EvaluationOptions['onText'],
): Promise<TextFigures[]> {
  const finite = (value: number) => (Number.isFinite(value) ? value : null)
  const figures: TextFigures[] = []
  for (const [index, text] of batch.entries()) {
    const scores = compared.map(({ nats, divergences, agreements }): TextFigures['scores'][number] => [
      finite(nats[index]!),
      finite(divergences[index]!),
      finite(agreements[index]!),
    ])
    assertWholeFinite(compared[0]!.nats[index]!, text)
    const scoredTokens = text.ids.length - 1
    figures.push({ scoredTokens, scoredBytes: await countScoredBytes(text, decode, maxLength), scores })
    onText?.({
      origin: text.origin,
      scoredTokens,
      negativeLogLikelihoods: compared.map(({ nats }) => nats[index]! / scoredTokens),
    })
  }
  return figures
}

function describeTexts(
  { id, config, split, revision, shares, column, skipped }: Dataset,
  { tokenless }: TextBatches,
  sums: EvaluationSums,
  skippedTexts: number,
): EvaluationResult['dataset'] {
  return {
    id,
    config,
    split,
    revision,
    ...(shares && { shares }),
    column,
    skippedTexts,
    ...sums.counts(),
    skipped: { empty: skipped.empty + tokenless, notText: skipped.notText },
  }
}

function describeSettings(
  { maxLength, batchSize }: RunSettings,
  { datasetSize, shuffle }: EvaluationOptions,
): EvaluationResult['settings'] {
  return {
    maxLength,
    batchSize,
    scored: 'every token but the first of each text',
    ...(datasetSize === undefined ? {} : { datasetSize }),
    ...(shuffle === undefined ? {} : { shuffle }),
  }
}

function noTextError({ id, column, skipped }: Dataset, { tokenless }: TextBatches, skip: number): LayerpruneError {
  const after = skip === 0 ? '' : ` after its first ${formatQuantity(skip, 'text')}`
  return new LayerpruneError(
    `${id} holds no text to measure${after}: ${formatQuantity(skipped.empty, 'empty row')}, ${formatQuantity(tokenless, 'row')} of fewer than two tokens, ${formatQuantity(skipped.notText, 'row')} without text in column ${column}`,
    { hint: skip === 0 ? 'check `dataset` and `datasetColumn`' : 'skip fewer texts' },
  )
}

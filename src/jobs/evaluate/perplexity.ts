import { InterruptedError, LayerpruneError } from '../../base/errors.js'
import { formatQuantity } from '../../base/format-numbers.js'
import { VERSION } from '../../base/version.js'
import type { Model } from '../../engine/model.js'
import type { Block } from '../../model/layers/block.js'
import { normalizeBlocks } from '../../model/layers/blocks.js'
import type { EvaluationResult, TextFigures } from '../../results/documents/evaluation-result.js'
import { SCHEMAS } from '../../results/documents/schemas.js'
import { describeReuse, listFittedTexts, listUsedTexts, type TextUses } from '../../results/documents/text-uses.js'
import type { TextTotal } from '../../texts/data/count-texts.js'
import type { Dataset } from '../../texts/data/dataset.js'
import { isInShard, type Shard } from '../../texts/tokens/placed-rows.js'
import { batchScoredTexts, type TextBatches } from '../../texts/tokens/scored-texts.js'
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
import { findUses } from '../write-model/find-plan.js'
import { EvaluationSums } from './evaluation-sums.js'
import type { Compared, Evaluator, EvaluatorOptions } from './evaluator.js'
import { openMeasuringEvaluator } from './limited-evaluator.js'
import { rememberCompared } from './remember.js'
import { countScoredBytes } from './scored-bytes.js'
import { ShardRecord } from './shard-record.js'
import { assertWholeFinite } from './whole-model.js'

/** Options of every measurement of a model's predictions of texts. */
export interface ScoringOptions extends RunOptions, ResumeOptions {
  /** Texts that are not measured, as `texts` of a plan names them; those that the model's own plan names never are. */
  leaveOut?: TextUses | undefined
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
  const uses = [options.leaveOut, await findUses(options)]
  const result = await measureWithout(options, open, { more, used: listUsedTexts(...uses), isLast: false })
  if (result !== undefined) return result
  options.onNote?.(describeReuse([options.dataset].flat().join(', ')))
  return (await measureWithout(options, open, { more, used: listFittedTexts(...uses), isLast: true }))!
}

/** @returns undefined if no text but those used before is there to measure, unless it is the last try */
async function measureWithout(
  options: EvaluationOptions,
  open: OpenEvaluator,
  { more, used, isLast }: { more: object; used: ReadonlySet<string>; isLast: boolean },
): Promise<EvaluationResult | undefined> {
  const { signal, candidates = [], datasetSize, shard, leaveOut, onNote } = options
  const { dataset, model } = await openInputs({ ...options, leftOutHashes: used })
  const removed = candidates.map((blocks) => normalizeBlocks(blocks, model.config.layers))
  const settings = chooseRunSettings(options, model, onNote)
  const described = await describeModel(model, options)
  const answers = Answers.openIfKept(() => identifyWork(described.fingerprint, { ...options, ...more }), options)
  const tokenizer = new TokenizerProcess(model.tokenizer, signal)
  const work = new TextWork()
  const texts = batchScoredTexts(dataset.rows(), tokenizer.encode, settings, takeOwn(work, shard))
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
  if (sums.texts === 0) {
    if (!isLast && dataset.read().leftOut > 0) return undefined
    throw noTextError(dataset, texts, options)
  }
  noteLeftOut(dataset, options)
  return {
    schema: SCHEMAS.evaluation,
    model: described,
    dataset: describeTexts(dataset, texts, sums, options),
    settings: describeSettings(settings, options),
    ...sums.figures(),
    ...(candidates.length > 0 && leaveOut?.chosen && { chosenOn: leaveOut.chosen }),
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

function countTexts(dataset: Dataset, { shard }: EvaluationOptions, { batchSize }: RunSettings): TextTotal | null {
  const found = dataset.countTexts()
  if (found === null) return null
  if (shard === undefined) return found
  const all = found.texts
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
  dataset: Dataset,
  { tokenless }: TextBatches,
  sums: EvaluationSums,
  { datasetSkip = 0 }: EvaluationOptions,
): EvaluationResult['dataset'] {
  const { id, config, split, revision, shares, column, skipped } = dataset
  const { leftOut, end, hashes } = dataset.read()
  return {
    id,
    config,
    split,
    revision,
    ...(shares && { shares }),
    column,
    skippedTexts: datasetSkip,
    ...(leftOut > 0 && { leftOut }),
    ...{ end, hashes },
    ...sums.counts(),
    skipped: { empty: skipped.empty + tokenless, notText: skipped.notText },
  }
}

function describeSettings(
  { maxLength, batchSize }: RunSettings,
  { datasetSize, datasetSkip, shuffle }: EvaluationOptions,
): EvaluationResult['settings'] {
  return {
    maxLength,
    batchSize,
    scored: 'every token but the first of each text',
    ...(datasetSize === undefined ? {} : { datasetSize }),
    ...(datasetSkip === undefined ? {} : { datasetSkip }),
    ...(shuffle === undefined ? {} : { shuffle }),
  }
}

/** Notes how many texts were not measured. */
function noteLeftOut(dataset: Dataset, { onNote }: EvaluationOptions): void {
  const { leftOut } = dataset.read()
  if (leftOut === 0) return
  onNote?.(`left out ${formatQuantity(leftOut, 'text')} of ${dataset.id} that layers were chosen or weights fitted on`)
}

function noTextError(
  dataset: Dataset,
  { tokenless }: TextBatches,
  { datasetSkip = 0 }: EvaluationOptions,
): LayerpruneError {
  const { id, column, skipped } = dataset
  const { leftOut } = dataset.read()
  const after = datasetSkip === 0 ? '' : ` after its first ${formatQuantity(datasetSkip, 'text')}`
  const used = leftOut === 0 ? '' : `, ${formatQuantity(leftOut, 'text')} that layers were chosen or weights fitted on`
  const hint = datasetSkip === 0 ? 'check `dataset` and `datasetColumn`' : 'skip fewer texts'
  return new LayerpruneError(
    `${id} holds no text to measure${after}: ${formatQuantity(skipped.empty, 'empty row')}, ${formatQuantity(tokenless, 'row')} of fewer than two tokens, ${formatQuantity(skipped.notText, 'row')} without text in column ${column}${used}`,
    { hint: leftOut === 0 ? hint : 'measure on other texts' },
  )
}

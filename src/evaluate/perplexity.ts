import type { TextTotal } from '../data/count-texts.js'
import type { Dataset } from '../data/dataset.js'
import type { EvaluationResult } from '../documents/evaluation-result.js'
import { SCHEMAS } from '../documents/schemas.js'
import { InterruptedError, LayerpruneError, UsageError } from '../errors.js'
import { formatQuantity } from '../format-numbers.js'
import type { Block } from '../layers/block.js'
import { normalizeBlocks } from '../layers/blocks.js'
import type { Model } from '../model.js'
import { openInputs } from '../run/open-inputs.js'
import { assertRunCounts, chooseRunSettings, type RunOptions, type RunSettings } from '../run/run-options.js'
import { TextWork } from '../run/text-work.js'
import { describeModel } from '../similarity/describe-model.js'
import { batchScoredTexts, skipRows, type TextBatches } from '../texts/scored-texts.js'
import { TokenizerThread } from '../texts/tokenizer-thread.js'
import type { ReadText } from '../texts/windows.js'
import { VERSION } from '../version.js'
import { type Compared, type Evaluator, type EvaluatorOptions, openEvaluator } from './evaluator.js'
import { Nearness } from './nearness.js'
import { countScoredBytes } from './scored-bytes.js'
import { Tally } from './tally.js'
import { assertWholeFinite } from './whole-model.js'

export interface EvaluationOptions extends RunOptions {
  /** Blocks to remove, for each candidate. The whole model is measured in any case. */
  candidates?: Block[][] | undefined
  /** Texts to skip at the start of the dataset, for example those that a plan was made from; `datasetSize` counts from there. */
  datasetSkip?: number | undefined
  /** Called with every text, in the order in which they were run, for comparisons over texts. */
  onText?: ((score: TextScore) => void) | undefined
}

/**
 * Opens what candidates are measured with, instead of the model as it is. It advances while it runs a batch, and not at
 * all if it knows what the batch gives.
 */
export type OpenEvaluator = (
  model: Model,
  options: EvaluatorOptions,
) => Promise<Pick<Evaluator, 'compare' | 'close'>>

/** What one text scored. */
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
 * @throws UsageError if an option is out of range, or a block does not fit the model
 * @throws InterruptedError if `signal` was aborted
 * @throws LayerpruneError if model or dataset cannot be used, or the model has no head
 */
export async function evaluatePerplexity(
  options: EvaluationOptions,
  open: OpenEvaluator = openEvaluator,
): Promise<EvaluationResult> {
  assertRunCounts(options)
  const { signal, candidates = [], datasetSize, datasetSkip = 0, onNote } = options
  if (!(Number.isSafeInteger(datasetSkip) && datasetSkip >= 0)) {
    throw new UsageError(`dataset skip must be a whole number of at least 0, found ${datasetSkip}`)
  }
  const limit = datasetSize === undefined ? undefined : datasetSkip + datasetSize
  const { dataset, model } = await openInputs({ ...options, datasetSize: limit })
  const removed = candidates.map((blocks) => normalizeBlocks(blocks, model.config.layers))
  const settings = chooseRunSettings(options, model, onNote)
  const described = await describeModel(model, options)
  const tokenizer = new TokenizerThread(model.tokenizer, signal)
  const work = new TextWork()
  const rows = skipRows(dataset.rows(), datasetSkip)
  const texts = batchScoredTexts(rows, tokenizer.encode, settings, (batches) => work.addWindow(batches))
  const tally = new Tally(removed.length + 1)
  const nearness = new Nearness(removed.length)
  let evaluator: Awaited<ReturnType<OpenEvaluator>> | undefined
  try {
    options.onProgress?.({ phase: 'reading texts', done: 0, total: null })
    await tokenizer.loaded
    evaluator = await open(model, chooseSession(options, removed))
    for await (const batch of texts) {
      const report = (share: number) => {
        const done = tally.texts + share * batch.length
        options.onProgress?.(work.describe('perplexity', done, countTexts(dataset, datasetSkip)))
      }
      const compared = await compareBatch(evaluator, batch, removed, { work, report })
      nearness.addBatch(compared.slice(1))
      const scored: ScoredBatch = { batch, compared, decode: tokenizer.decode, maxLength: settings.maxLength }
      await tallyBatch(scored, tally, options.onText)
    }
    signal?.throwIfAborted()
  } catch (cause) {
    throw signal?.aborted ? new InterruptedError(tally.texts, datasetSize) : cause
  } finally {
    tokenizer.close()
    await evaluator?.close()
  }
  if (tally.texts === 0) throw noTextError(dataset, texts, datasetSkip)
  if (tally.hasFailed(0)) throw new LayerpruneError("the whole model's perplexity is too large for a number")
  return {
    schema: SCHEMAS.evaluation,
    model: described,
    dataset: describeTexts(dataset, texts, tally, datasetSkip),
    settings: describeSettings(settings, options),
    ...tally.figures(0),
    candidates: removed.map((blocks, index) => {
      const figures = tally.compare(index + 1, blocks)
      if (figures.perplexity === null) return figures
      return { ...figures, ...nearness.figures(index, tally.scoredTokens) }
    }),
    layerpruneVersion: VERSION,
  }
}

/** Runs a batch, and reports how much of it is done. */
async function compareBatch(
  evaluator: Awaited<ReturnType<OpenEvaluator>>,
  batch: ReadText[],
  removed: Block[][],
  { work, report }: { work: TextWork; report: (share: number) => void },
): Promise<Compared[]> {
  let hasRun = false
  report(0)
  const compared = await evaluator.compare(batch, removed, ({ share }) => {
    hasRun = true
    report(share)
  })
  if (!hasRun) work.skip(batch)
  return compared
}

/** Texts after those that are skipped. */
function countTexts(dataset: Dataset, skip: number): TextTotal | null {
  const found = dataset.countTexts()
  return found && { ...found, texts: Math.max(0, found.texts - skip) }
}

function chooseSession(
  { threads, device = 'cpu', signal, onProgress }: EvaluationOptions,
  removed: Block[][],
): EvaluatorOptions {
  return { threads, device, blocks: removed.flat(), signal, onProgress }
}

interface ScoredBatch {
  batch: ReadText[]
  /** Of the whole model, then of each candidate. */
  compared: Compared[]
  decode: TokenizerThread['decode']
  maxLength: number
}

/** @throws LayerpruneError if the whole model gives a text no finite log-likelihood */
async function tallyBatch(
  { batch, compared, decode, maxLength }: ScoredBatch,
  tally: Tally,
  onText: EvaluationOptions['onText'],
): Promise<void> {
  for (const [index, text] of batch.entries()) {
    const nats = Float64Array.from(compared, ({ nats }) => nats[index]!)
    assertWholeFinite(nats[0]!, text)
    const scoredTokens = text.ids.length - 1
    tally.addText(nats, scoredTokens, await countScoredBytes(text, decode, maxLength))
    onText?.({
      origin: text.origin,
      scoredTokens,
      negativeLogLikelihoods: Array.from(nats, (value) => value / scoredTokens),
    })
  }
}

function describeTexts(
  { id, config, split, revision, shares, column, skipped }: Dataset,
  { tokenless }: TextBatches,
  { texts, scoredTokens, scoredBytes }: Tally,
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
    texts,
    // every token but the first of each text is scored
    tokens: scoredTokens + texts,
    scoredTokens,
    scoredBytes,
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

function noTextError(
  { id, column, skipped }: Dataset,
  { tokenless }: TextBatches,
  skip: number,
): LayerpruneError {
  const after = skip === 0 ? '' : ` after its first ${formatQuantity(skip, 'text')}`
  return new LayerpruneError(
    `${id} holds no text to measure${after}: ${formatQuantity(skipped.empty, 'empty row')}, ${formatQuantity(tokenless, 'row')} of fewer than two tokens, ${formatQuantity(skipped.notText, 'row')} without text in column ${column}`,
    { hint: skip === 0 ? 'check --dataset and --dataset-column' : 'skip fewer texts' },
  )
}

import type { Dataset } from '../data/dataset.js'
import type { EvaluationResult } from '../documents/evaluation-result.js'
import { SCHEMAS } from '../documents/schemas.js'
import { InterruptedError, LayerpruneError, UsageError } from '../errors.js'
import { formatQuantity } from '../format-numbers.js'
import type { Block } from '../layers/block.js'
import { normalizeBlocks } from '../layers/blocks.js'
import { openInputs } from '../run/open-inputs.js'
import { assertRunCounts, chooseRunSettings, type RunOptions, type RunSettings } from '../run/run-options.js'
import { describeModel } from '../similarity/describe-model.js'
import { batchScoredTexts, skipRows, type TextBatches } from '../texts/scored-texts.js'
import { TokenizerThread } from '../texts/tokenizer-thread.js'
import { VERSION } from '../version.js'
import { type Evaluator, openEvaluator } from './evaluator.js'
import { countScoredBytes } from './scored-bytes.js'
import { Tally } from './tally.js'
import { assertWholeFinite } from './whole-model.js'

export interface EvaluationOptions extends RunOptions {
  /** What is taken out of the model: for each candidate its blocks. The whole model is measured in any case. */
  candidates?: Block[][] | undefined
  /** Texts at the start of the dataset that are passed over, as those that a plan was made from; `datasetSize` counts from there. */
  datasetSkip?: number | undefined
  /** Called with every text, in the order in which they were run, for comparisons over texts. */
  onText?: ((score: TextScore) => void) | undefined
}

/** What one text scored. */
export interface TextScore {
  /** Where the text came from: file and line or row. */
  origin: string
  scoredTokens: number
  /** Mean over its scored tokens in nats, of the whole model, then of each candidate. */
  negativeLogLikelihoods: number[]
}

/**
 * Measures the perplexity of a model, whole and with blocks of layers taken out. No pruned model is written: the
 * kept layers are run one after another, and those that candidates have in common from the bottom up run once.
 *
 * Each text is cut at `maxLength` tokens and stands alone; every token but its first is scored, given those before it.
 * @throws UsageError if an option is out of range, or a block does not fit the model
 * @throws InterruptedError if `signal` was aborted
 * @throws LayerpruneError if model or dataset cannot be used, or the model has no head
 */
export async function evaluatePerplexity(options: EvaluationOptions): Promise<EvaluationResult> {
  assertRunCounts(options)
  const { threads, device = 'cpu', signal, candidates = [], datasetSize, datasetSkip: skip = 0 } = options
  if (!(Number.isSafeInteger(skip) && skip >= 0)) {
    throw new UsageError(`dataset skip must be a whole number of at least 0, found ${skip}`)
  }
  const limit = datasetSize === undefined ? undefined : skip + datasetSize
  const { dataset, model } = await openInputs({ ...options, datasetSize: limit })
  const removed = candidates.map((blocks) => normalizeBlocks(blocks, model.config.layers))
  const settings = chooseRunSettings(options, model, options.onNote)
  const described = await describeModel(model, options)
  const tokenizer = new TokenizerThread(model.folder, signal)
  const texts = batchScoredTexts(skipRows(dataset.rows(), skip), tokenizer.encode, settings)
  const tally = new Tally(removed.length + 1)
  let tokens = 0
  let evaluator: Evaluator | undefined
  try {
    await tokenizer.loaded
    evaluator = await openEvaluator(model, { threads, device, blocks: removed.flat(), signal })
    for await (const batch of texts) {
      const scores = await evaluator.measure(batch, [[], ...removed])
      for (const [index, text] of batch.entries()) {
        const nats = Float64Array.from(scores, (row) => row[index]!)
        assertWholeFinite(nats[0]!, text)
        const scoredTokens = text.ids.length - 1
        const scoredBytes = await countScoredBytes(text, tokenizer.decode, settings.maxLength)
        tally.addText(nats, scoredTokens, scoredBytes)
        tokens += text.ids.length
        options.onText?.({
          origin: text.origin,
          scoredTokens,
          negativeLogLikelihoods: Array.from(nats, (value) => value / scoredTokens),
        })
      }
      options.onProgress?.({ texts: tally.texts, total: datasetSize ?? null })
    }
    signal?.throwIfAborted()
  } catch (cause) {
    throw signal?.aborted ? new InterruptedError(tally.texts, datasetSize) : cause
  } finally {
    tokenizer.close()
    await evaluator?.close()
  }
  if (tally.texts === 0) throw noTextError(dataset, texts, skip)
  if (tally.hasFailed(0)) throw new LayerpruneError("the whole model's perplexity is too large for a number")
  const { skipped, id, config, split, revision, column } = dataset
  return {
    schema: SCHEMAS.evaluation,
    model: described,
    dataset: {
      id,
      config,
      split,
      revision,
      column,
      skippedTexts: skip,
      texts: tally.texts,
      tokens,
      scoredTokens: tally.scoredTokens,
      scoredBytes: tally.scoredBytes,
      skipped: { empty: skipped.empty + texts.tokenless, notText: skipped.notText },
    },
    settings: describeSettings(settings, options),
    ...tally.figures(0),
    candidates: removed.map((blocks, index) => tally.compare(index + 1, blocks)),
    layerpruneVersion: VERSION,
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
    { hint: skip === 0 ? 'check --dataset and --dataset-column' : 'pass over fewer texts' },
  )
}

import { LayerpruneError, UsageError } from '../../base/errors.js'
import { nameOption } from '../../base/name-option.js'
import { type Model, openModel, prepareModel } from '../../engine/model.js'
import { chooseProcess } from '../../engine/sessions/choose-process.js'
import { type Comparison, comparePair } from '../../engine/sessions/comparison.js'
import {
  type DecoderPieces,
  FED_BY_PIECES,
  openDecoderPieces,
  type State,
} from '../../engine/sessions/decoder-pieces.js'
import { openRunner } from '../../engine/sessions/graph-runner.js'
import { NON_FINITE_HINT } from '../../engine/sessions/non-finite.js'
import { releaseAll } from '../../engine/sessions/session.js'
import { SessionProcess } from '../../engine/sessions/session-process.js'
import { takePairHead } from '../../model/graph/heads/comparison.js'
import type { AgainstFigures, EvaluationResult } from '../../results/documents/evaluation-result.js'
import { joinUses } from '../../results/documents/text-uses.js'
import { findTokenizerDifference } from '../../texts/tokens/same-tokenizer.js'
import { TokenizerProcess } from '../../texts/tokens/tokenizer-process.js'
import type { EncodedText } from '../../texts/tokens/windows.js'
import { describeModel } from '../run/describe-model.js'
import { chooseRunSettings } from '../run/run-options.js'
import { findUses } from '../write-model/find-plan.js'
import type { OnAdvance } from './batch-work.js'
import type { Compared, EvaluatorOptions } from './evaluator.js'
import { evaluatePerplexity, type OpenEvaluator, type ScoringOptions } from './perplexity.js'

export interface AgainstOptions extends ScoringOptions {
  /** Folder or file of the model that `model` is compared with, or its id on the Hub; its best weights are read. */
  against: string
}

/** An evaluation of a model, with the figures of another model of the same tokenizer on the same texts. */
export type AgainstResult = EvaluationResult & { against: AgainstFigures }

/**
 * Measures the perplexity of two models on the same texts, and how far their predictions diverge. Their
 * heads run in one graph, which their logits never leave.
 * @throws UsageError if an option is out of range or does not fit both models
 * @throws LayerpruneError if a model or the dataset cannot be used, or the tokenizers differ; and as
 *   `evaluatePerplexity`
 */
export async function evaluateAgainst({ against, ...options }: AgainstOptions): Promise<AgainstResult> {
  const { signal, onNote, onDownload } = options
  const reference = await prepareModel(await openModel({ model: against, signal, onNote, onDownload }), options)
  const leaveOut = joinUses(options.leaveOut, await findUses({ model: against, signal, onDownload }))
  const described = await describeModel(reference, options)
  const open: OpenEvaluator = async (model, session) => {
    await assertComparable(model, reference, options)
    return openPair(model, reference, session)
  }
  const more = { against: described.fingerprint.slice(0, 12) }
  const evaluation = await evaluatePerplexity({ ...options, leaveOut, candidates: [[]] }, open, more)
  const [own] = evaluation.candidates
  if (own === undefined || own.perplexity === null) {
    throw new LayerpruneError(`the perplexity of ${evaluation.model.id} is not a finite number`, {
      hint: NON_FINITE_HINT,
    })
  }
  const { perplexity, standardError, bitsPerByte } = evaluation
  const { excess, kl, agreement } = own
  return {
    ...evaluation,
    perplexity: own.perplexity,
    standardError: own.standardError,
    bitsPerByte: own.bitsPerByte,
    candidates: [],
    against: {
      model: described,
      ...{ perplexity, standardError, bitsPerByte },
      ...{ excess, kl, agreement },
    },
  }
}

/** @throws UsageError or LayerpruneError if the models cannot be run on the same tokens in the same batches */
async function assertComparable(
  model: Model,
  reference: Model,
  { maxLength, batchSize }: ScoringOptions,
): Promise<void> {
  const [own, other] = [model, reference].map((each) => chooseRunSettings({ maxLength, batchSize }, each))
  if (other!.maxLength < own!.maxLength) {
    throw new UsageError(`${reference.id} takes at most ${other!.maxLength} tokens`, {
      hint: nameOption('maxLength', other!.maxLength),
    })
  }
  if (other!.batchSize < own!.batchSize) {
    throw new UsageError(`${reference.id} quantises activations with one scale per batch`, {
      hint: '`batchSize: 1`',
    })
  }
  const tokenizers = [model, reference].map(({ tokenizer }) => new TokenizerProcess(tokenizer))
  const difference = await findTokenizerDifference(tokenizers[0]!, tokenizers[1]!).finally(() => {
    for (const tokenizer of tokenizers) tokenizer.close()
  })
  if (difference === null) return
  throw new LayerpruneError(`${model.id} and ${reference.id} have different tokenizers: ${difference}`, {
    hint: 'bits per byte of two runs can be compared',
  })
}

async function openPair(model: Model, reference: Model, { signal, ...session }: EvaluatorOptions) {
  const ort = await import('onnxruntime-node')
  const apart = new SessionProcess(signal)
  const open = ({ decoder, config }: Model) =>
    openDecoderPieces(decoder, config, [0, config.layers], { ...session, apart })
  const [own, other] = [await open(model), await open(reference)]
  const pair = takePairHead(model.decoder, reference.decoder)
  const head = openRunner(pair, model.config, FED_BY_PIECES, {
    ...{ ...session, apart: chooseProcess(pair, apart) },
    ...{ shared: true, keepsMemory: true },
  })
  head.catch(() => {})
  return {
    async compare(batch: EncodedText[], _: unknown, onAdvance?: OnAdvance): Promise<Compared[]> {
      signal?.throwIfAborted()
      const state = await runWhole(own, batch)
      onAdvance?.({ share: 1 / 3, candidates: 0 })
      const states = { state, reference: await runWhole(other, batch) }
      onAdvance?.({ share: 2 / 3, candidates: 0 })
      return (await comparePair(ort, await head, states, batch)).map(asCompared)
    },
    async close() {
      await Promise.all([own.close(), other.close(), releaseAll([head])])
      apart.end()
    },
  }
}

async function runWhole(pieces: DecoderPieces, batch: EncodedText[]): Promise<State> {
  return pieces.run(0, await pieces.embed(batch), batch)
}

function asCompared({ logLikelihoods, divergences, agreements }: Comparison): Compared {
  return { nats: logLikelihoods.map((value) => 0 - value), divergences, agreements }
}

import type { OnProgress } from '../../base/progress.js'
import type { Model } from '../../engine/model.js'
import type { SessionOptions } from '../../engine/sessions/session.js'
import type { Replacement } from '../../files/weights/replacement.js'
import type { Block } from '../../model/layers/block.js'
import type { Sample } from '../../results/documents/prune-result.js'
import { openDataset } from '../../texts/data/dataset.js'
import type { DatasetOptions } from '../../texts/data/dataset-options.js'
import { createChatWriter } from '../../texts/tokens/chat-writer.js'
import type { TokenizerProcess } from '../../texts/tokens/tokenizer-process.js'
import { type EncodedText, longestOf } from '../../texts/tokens/windows.js'
import { continueTexts } from '../evaluate/continue-texts.js'
import { readEndTokens } from '../evaluate/end-tokens.js'
import { mostTokens } from '../run/length-limits.js'

export interface SampleOptions extends DatasetOptions {
  count: number
  /** Texts to skip at the start of the dataset, those that the cut was chosen or repaired on. */
  skip: number
}

/** The layers to remove, and how the model is run. */
export interface WritingOptions extends Partial<SessionOptions> {
  removed: Block[]
  /** New values of weights, as the pruned model has them. */
  replacements?: ReadonlyMap<string, Replacement> | undefined
  /** The pruned model, if `removed` and `replacements` do not describe it. */
  pruned?: Model | undefined
  signal?: AbortSignal | undefined
  onProgress?: OnProgress | undefined
}

/** A model with its tokenizer. */
export interface SampledModel {
  model: Model
  tokenizer: TokenizerProcess
}

/** Tokens of a beginning, and those that are written after it. */
const BEGINNING_TOKENS = 32
const CONTINUATION_TOKENS = 40
/** Minimum length of a text to continue. */
const LEAST_TOKENS = 8

/** @throws LayerpruneError if the texts cannot be read */
export async function writeSamples(
  { model, tokenizer }: SampledModel,
  samples: SampleOptions,
  { removed, replacements, pruned: given, threads, device = 'cpu', signal, onProgress }: WritingOptions,
): Promise<Sample[]> {
  const beginnings = await readBeginnings(model, samples, tokenizer)
  if (beginnings.length === 0) return []
  const longest = longestOf(beginnings)
  const tokens = Math.min(CONTINUATION_TOKENS, mostTokens(model) - longest)
  const endTokens = await readEndTokens(model)
  const total = 2 * tokens * beginnings.length
  const write = (written: Model, cut: Pick<WritingOptions, 'removed' | 'replacements'>, before: number) => {
    const report = (done: number) =>
      onProgress?.({ ...{ phase: 'samples', unit: 'token', isMost: true }, done: before + done, total })
    report(0)
    const options = { ...cut, ...{ threads, device, tokens, endTokens, signal }, onTokens: report }
    return continueTexts(written, beginnings, options)
  }
  const whole = await write(model, { removed: [] }, 0)
  const [other, cut] = given ? [given, { removed: [] }] : [model, { removed, replacements }]
  const pruned = await write(other, cut, total / 2)
  return Promise.all(
    beginnings.map(
      async ({ origin, ids }, index): Promise<Sample> => ({
        origin,
        beginning: await tokenizer.decode(ids),
        whole: await decodeAfter(tokenizer, ids, whole[index]!),
        pruned: await decodeAfter(tokenizer, ids, pruned[index]!),
      }),
    ),
  )
}

/** The beginnings of the first texts that are long enough, at most half of each. */
async function readBeginnings(
  model: Model,
  { count, skip, ...options }: SampleOptions,
  { encode }: TokenizerProcess,
): Promise<EncodedText[]> {
  const most = Math.min(BEGINNING_TOKENS, Math.floor(mostTokens(model) / 2))
  const writeChat = createChatWriter(() => model.tokenizer, options.signal)
  const dataset = await openDataset({ ...options, datasetSize: undefined, datasetSkip: skip, writeChat })
  const beginnings: EncodedText[] = []
  for await (const { text, origin, addSpecialTokens } of dataset.rows()) {
    const ids = await encode(text, 2 * most, addSpecialTokens)
    if (ids.length < LEAST_TOKENS) continue
    beginnings.push({ ids: ids.slice(0, Math.min(most, Math.floor(ids.length / 2))), origin })
    if (beginnings.length === count) break
  }
  return beginnings
}

/** What tokens say after others: a word's space belongs to it, which a tokenizer may omit at the start of a text. */
async function decodeAfter({ decode }: TokenizerProcess, before: number[], ids: number[]): Promise<string> {
  const [beginning, whole] = await Promise.all([decode(before), decode([...before, ...ids])])
  return whole.startsWith(beginning) ? whole.slice(beginning.length) : decode(ids)
}

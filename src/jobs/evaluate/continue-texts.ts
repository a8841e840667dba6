import type { Model } from '../../engine/model.js'
import { ContinuedSession } from '../../engine/sessions/continued-session.js'
import type { SessionOptions } from '../../engine/sessions/session.js'
import type { Replacement } from '../../files/weights/replacement.js'
import { cutBlocks } from '../../model/graph/cut.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { replaceWeights } from '../../model/graph/replace-weights.js'
import { type EncodedText, longestOf } from '../../texts/tokens/windows.js'
import { type GenerationOptions, generateGreedy } from './generate-greedy.js'
import { openNextToken } from './next-token.js'

interface ContinueOptions extends GenerationOptions, SessionOptions {
  /** New values of weights. */
  replacements?: ReadonlyMap<string, Replacement> | undefined
}

/**
 * Continues texts by the most likely token, one after another: with caches if the graph is built here, so that each run
 * reads one token of each text; otherwise each run reads the whole texts.
 * @returns the ids that each text is continued by
 * @throws LayerpruneError if the model has no head
 */
export async function continueTexts(
  model: Model,
  beginnings: EncodedText[],
  { replacements, threads, device, ...options }: ContinueOptions,
): Promise<number[][]> {
  const changed = (decoder: DecoderGraph) => (replacements ? replaceWeights(decoder, replacements) : decoder)
  const continued = model.buildContinued?.()
  if (continued !== undefined && isOfOneKind(continued, longestOf(beginnings) + options.tokens)) {
    const decoder = cutBlocks(changed(continued), options.removed)
    const session = await ContinuedSession.open(decoder, beginnings.length, { threads, device })
    return generateWithCaches(session, beginnings, options).finally(() => session.close())
  }
  const runner = await openNextToken({ ...model, decoder: changed(model.decoder) }, options.removed, {
    threads,
    device,
  })
  return generateGreedy(runner, beginnings, options).finally(() => runner.close())
}

/** Whether what is kept of earlier tokens stays true when a text grows to so many tokens. */
function isOfOneKind({ switchesAfter = Number.POSITIVE_INFINITY }: DecoderGraph, tokens: number): boolean {
  return tokens <= switchesAfter
}

async function generateWithCaches(
  session: ContinuedSession,
  beginnings: EncodedText[],
  { tokens, endTokens, signal, onTokens }: GenerationOptions,
): Promise<number[][]> {
  const continuations = beginnings.map((): number[] => [])
  const ended = new Set<number>()
  let next = beginnings.map(({ ids }) => ids)
  for (let token = 0; token < tokens && ended.size < beginnings.length; token++) {
    signal?.throwIfAborted()
    const logits = await session.read(next)
    next = logits.map((values, text) => {
      const best = indexOfLargest(values)
      if (endTokens.has(best)) ended.add(text)
      if (!ended.has(text)) continuations[text]!.push(best)
      // a text that has ended goes on unread, because all have the same number of tokens
      return [best]
    })
    onTokens?.((token + 1) * beginnings.length)
  }
  return continuations
}

export function indexOfLargest(values: Float32Array): number {
  let best = 0
  for (let index = 1; index < values.length; index++) if (values[index]! > values[best]!) best = index
  return best
}

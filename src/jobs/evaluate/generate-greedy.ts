import { chunk } from '../../base/chunk.js'
import type { Block } from '../../model/layers/block.js'
import type { EncodedText } from '../../texts/tokens/windows.js'
import type { NextToken } from './next-token.js'

export interface GenerationOptions {
  /** Blocks of layers to omit; none for the whole model. */
  removed: Block[]
  /** Maximum tokens added to each text. */
  tokens: number
  /** Tokens that end a text; they are not returned. */
  endTokens: ReadonlySet<number>
  signal?: AbortSignal | undefined
  /** Called after each run with the tokens that are decided, of `tokens` for each text. */
  onTokens?: ((done: number) => void) | undefined
}

/** Tokens guessed at a time: each costs a token of the run, and each correct one saves a run. */
const MOST_GUESSED = 8
/** Longest suffix that is searched for earlier in the text. */
const MOST_MATCHED = 3

/**
 * Continues texts by the most likely token, one after another, each predicted from a run over the whole text so far.
 *
 * Models without some of their layers repeat themselves, and so do whole ones. So what followed the text's last tokens
 * the last time is guessed to follow now and run along: guesses that are what the run predicts need no run of their own
 * (prompt lookup, a speculative decoding as of Leviathan et al. 2023, arXiv 2211.17192, without a second model). The
 * continuations are the same. Decoders in which tokens change what is computed of those before them get no guesses.
 * @returns the ids that each text is continued by
 */
export async function generateGreedy(
  model: Pick<NextToken, 'predict' | 'maxBatch'>,
  beginnings: EncodedText[],
  { removed, tokens, endTokens, signal, onTokens }: GenerationOptions,
): Promise<number[][]> {
  const guesses = model.maxBatch === Infinity ? MOST_GUESSED : 0
  const continuations = beginnings.map((): number[] => [])
  let unfinished = tokens > 0 ? beginnings.map((_, index) => index) : []
  while (unfinished.length > 0) {
    const texts = unfinished.map((index) => {
      const known = [...beginnings[index]!.ids, ...continuations[index]!]
      const most = Math.min(guesses, tokens - continuations[index]!.length - 1)
      return { origin: beginnings[index]!.origin, known, guessed: guessNext(known, most) }
    })
    const predicted = await predictAll(model, texts, removed, signal)
    const ended = new Set<number>()
    for (const [place, index] of unfinished.entries()) {
      const next = takeUntilWrong(predicted[place]!, texts[place]!.guessed)
      const end = next.findIndex((token) => endTokens.has(token))
      continuations[index]!.push(...(end < 0 ? next : next.slice(0, end)))
      if (end >= 0 || continuations[index]!.length === tokens) ended.add(index)
    }
    unfinished = unfinished.filter((index) => !ended.has(index))
    const open = unfinished.reduce((sum, index) => sum + tokens - continuations[index]!.length, 0)
    onTokens?.(tokens * beginnings.length - open)
  }
  return continuations
}

/** The tokens that followed the longest repeated suffix of a text; none if nothing repeats. */
function guessNext(ids: number[], most: number): number[] {
  for (let length = Math.min(MOST_MATCHED, ids.length - 1); length > 0 && most > 0; length--) {
    const end = ids.length - length
    for (let start = end - 1; start >= 0; start--) {
      const isMatch = ids.slice(start, start + length).every((id, place) => id === ids[end + place])
      if (isMatch) return ids.slice(start + length, start + length + most)
    }
  }
  return []
}

/** The predictions up to the first whose guess is another token; each but the first was predicted after a guess. */
function takeUntilWrong(predicted: number[], guessed: number[]): number[] {
  const wrong = guessed.findIndex((token, place) => token !== predicted[place])
  return wrong < 0 ? predicted : predicted.slice(0, wrong + 1)
}

interface GuessedText {
  origin: string
  known: number[]
  guessed: number[]
}

/** Next tokens of any number of texts and of each guess after them, as many texts at once as the model takes. */
async function predictAll(
  { predict, maxBatch }: Pick<NextToken, 'predict' | 'maxBatch'>,
  guessedTexts: GuessedText[],
  removed: Block[],
  signal: AbortSignal | undefined,
): Promise<number[][]> {
  const texts = guessedTexts.map(({ origin, known, guessed }) => ({ origin, ids: [...known, ...guessed] }))
  if (maxBatch === Infinity) {
    signal?.throwIfAborted()
    return predict(
      texts,
      removed,
      guessedTexts.map(({ guessed }) => guessed.length + 1),
    )
  }
  const next: number[][] = []
  for (const batch of chunk(texts, maxBatch)) {
    signal?.throwIfAborted()
    // a graph of a fixed batch takes no fewer texts
    const padded = [...batch, ...Array.from({ length: maxBatch - batch.length }, () => batch[0]!)]
    next.push(...(await predict(padded, removed)).slice(0, batch.length))
  }
  return next
}

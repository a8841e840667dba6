import type { Block } from '../layers/block.js'
import type { EncodedText } from '../texts/windows.js'
import type { NextToken } from './next-token.js'

export interface GenerationOptions {
  /** Blocks of layers to omit; none for the whole model. */
  removed: Block[]
  /** Most tokens that are added to each text. */
  tokens: number
  /** Tokens that end a text; they are not returned. */
  endTokens: ReadonlySet<number>
  signal?: AbortSignal | undefined
  /** Called after each step with the number of steps. */
  onStep?: ((done: number) => void) | undefined
}

/**
 * Continues texts by the most likely token, one after another, each predicted from a run over the whole text so far.
 * @returns the ids that each text is continued by
 */
export async function generateGreedy(
  model: Pick<NextToken, 'predict' | 'maxBatch'>,
  beginnings: EncodedText[],
  { removed, tokens, endTokens, signal, onStep }: GenerationOptions,
): Promise<number[][]> {
  const continuations = beginnings.map((): number[] => [])
  let unfinished = beginnings.map((_, index) => index)
  for (let step = 1; step <= tokens && unfinished.length > 0; step++) {
    const texts = unfinished.map((index) => {
      const { ids, origin } = beginnings[index]!
      return { origin, ids: [...ids, ...continuations[index]!] }
    })
    const next = await predictAll(model, texts, removed, signal)
    for (const [place, index] of unfinished.entries()) {
      if (!endTokens.has(next[place]!)) continuations[index]!.push(next[place]!)
    }
    unfinished = unfinished.filter((_, place) => !endTokens.has(next[place]!))
    onStep?.(step)
  }
  return continuations
}

/** Next tokens of any number of texts, as many at once as the model takes. */
async function predictAll(
  { predict, maxBatch }: Pick<NextToken, 'predict' | 'maxBatch'>,
  texts: EncodedText[],
  removed: Block[],
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const isLimited = Number.isFinite(maxBatch)
  const size = isLimited ? maxBatch : texts.length
  const next: number[] = []
  for (let start = 0; start < texts.length; start += size) {
    signal?.throwIfAborted()
    const batch = texts.slice(start, start + size)
    // a graph of a fixed batch takes no fewer texts
    const missing = isLimited ? size - batch.length : 0
    const padded = [...batch, ...Array.from({ length: missing }, () => batch[0]!)]
    next.push(...(await predict(padded, removed)).slice(0, batch.length))
  }
  return next
}

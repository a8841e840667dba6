import { createRandom, shuffleInPlace } from '../../base/random.js'
import type { DatasetRow } from '../../texts/data/dataset.js'
import type { Encode } from '../../texts/tokens/tokenizer.js'
import type { EncodedText } from '../../texts/tokens/windows.js'

/** Longest text that is tokenised as a whole. */
const MOST_TOKENS_OF_TEXT = 1_000_000

interface PackOptions<Row> {
  /** Tokens of a sequence. */
  maxLength: number
  /** Sequences to make at most. */
  most: number
  /** The token that ends a text; null if the tokenizer has none. */
  endToken: number | null
  /** Asked about each text. */
  accepts: (row: Row) => boolean
}

/** Packs texts into sequences of equal length, as in a recipe: each with an end token, cut after `maxLength` tokens. */
export async function packTexts<Row extends DatasetRow>(
  rows: AsyncIterable<Row>,
  encode: Encode,
  { maxLength, most, endToken, accepts }: PackOptions<Row>,
): Promise<{ sequences: EncodedText[]; texts: number }> {
  const sequences: EncodedText[] = []
  let tokens: number[] = []
  let texts = 0
  for await (const row of rows) {
    if (sequences.length >= most) break
    if (!accepts(row)) continue
    const { text, origin, addSpecialTokens } = row
    texts++
    tokens = tokens.concat(await encode(text, MOST_TOKENS_OF_TEXT, addSpecialTokens), endToken ?? [])
    let start = 0
    for (; start + maxLength <= tokens.length && sequences.length < most; start += maxLength) {
      sequences.push({ ids: tokens.slice(start, start + maxLength), origin })
    }
    tokens = tokens.slice(start)
  }
  return { sequences, texts }
}

/** Gives the sequences of each step; all come once before any comes again, in an order of their own each time. */
export function chooseSequences<T>(
  sequences: readonly T[],
  { seed, perStep }: { seed: number; perStep: number },
): (step: number) => T[] {
  const orders = new Map<number, T[]>()
  const orderOf = (round: number) => {
    const known = orders.get(round) ?? shuffleInPlace([...sequences], createRandom(seed + round))
    orders.clear()
    orders.set(round, known)
    return known
  }
  return (step) =>
    Array.from({ length: perStep }, (_, index) => {
      const place = step * perStep + index
      return orderOf(Math.floor(place / sequences.length))[place % sequences.length]!
    })
}

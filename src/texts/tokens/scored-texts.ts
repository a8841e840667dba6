import type { DatasetRow } from '../data/dataset.js'
import type { Encode } from './tokenizer.js'
import { type BatchOptions, type ReadText, readText, windowTexts } from './windows.js'

/** Tokens of the shortest text in which one can be scored, given those before it. */
const LEAST_TOKENS = 2

/** Texts to be scored, in batches of similar length. */
export interface TextBatches extends AsyncIterable<ReadText[]> {
  /** Texts so far that have no token to score: none at all, or one alone. */
  tokenless: number
}

/**
 * Tokenises texts, and groups those that have a token to score into batches.
 * @param onWindow  called with batches that follow each other, before the first of them
 */
export function batchScoredTexts(
  rows: AsyncIterable<DatasetRow>,
  encode: Encode,
  options: BatchOptions,
  onWindow?: (batches: ReadText[][]) => void,
): TextBatches {
  // a text of one token has nothing to score, and is treated as one of none
  const encodeScored: Encode = async (...text) => {
    const ids = await encode(...text)
    return ids.length < LEAST_TOKENS ? [] : ids
  }
  const batches: TextBatches = {
    tokenless: 0,
    async *[Symbol.asyncIterator]() {
      for await (const window of windowTexts(rows, encodeScored, options)) {
        batches.tokenless += window.tokenless
        onWindow?.(window.batches)
        yield* window.batches
      }
    },
  }
  return batches
}

/**
 * Takes the next texts that have a token to score, and leaves the rest of the rows to be read.
 * @param accepts  asked about each such text
 */
export async function takeScoredTexts<Row extends DatasetRow>(
  rows: AsyncGenerator<Row>,
  count: number,
  encode: Encode,
  maxLength: number,
  accepts: (row: Row) => boolean,
): Promise<ReadText[]> {
  const texts: ReadText[] = []
  while (texts.length < count) {
    const { value, done } = await rows.next()
    if (done) break
    const text = await readText(value, encode, maxLength)
    if (text.ids.length >= LEAST_TOKENS && accepts(value)) texts.push(text)
  }
  return texts
}

import type { DatasetRow } from '../data/dataset.js'
import type { Encode } from './tokenizer.js'

/** A text as the model reads it. */
export interface EncodedText {
  /** Token ids, at least one. */
  ids: number[]
  /** Where the text came from, for messages. */
  origin: string
}

/** Batches looked at together when texts of similar length are put side by side. */
const WINDOW_BATCHES = 16

/**
 * Tokenises texts and groups them into batches of similar length, longest first, within a window of a few
 * batches: padding stays small, and which texts are used does not change. Texts without a token are passed
 * over and told to `onEmpty`.
 */
export async function* batchTexts(
  rows: AsyncIterable<DatasetRow>,
  encode: Encode,
  options: { batchSize: number; maxLength: number; onEmpty: () => void },
): AsyncGenerator<EncodedText[]> {
  const { batchSize, maxLength, onEmpty } = options
  let window: EncodedText[] = []
  for await (const { text, origin } of rows) {
    const ids = encode(text, maxLength)
    if (ids.length === 0) {
      onEmpty()
      continue
    }
    window.push({ ids, origin })
    if (window.length === batchSize * WINDOW_BATCHES) {
      yield* splitByLength(window, batchSize)
      window = []
    }
  }
  yield* splitByLength(window, batchSize)
}

function* splitByLength(window: EncodedText[], batchSize: number): Generator<EncodedText[]> {
  const sorted = window.toSorted((a, b) => b.ids.length - a.ids.length)
  for (let start = 0; start < sorted.length; start += batchSize) yield sorted.slice(start, start + batchSize)
}

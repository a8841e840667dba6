import type { Dataset, DatasetRow } from '../data/dataset.js'
import type { RunSettings } from '../run/run-options.js'
import { DATASET_START, type PlacedRow } from '../texts/placed-rows.js'
import type { EncodeAnywhere } from '../texts/tokenizer.js'
import { type ReadText, WINDOW_BATCHES, windowTexts } from '../texts/windows.js'

/** Texts to be scored, in batches of similar length. */
export interface TextBatches extends AsyncIterable<ReadText[]> {
  /** Texts so far that have no token to score: none at all, or one alone. */
  tokenless: number
}

/**
 * Tokenises the texts of a dataset that have at least two tokens.
 * @param skip texts at the start of the dataset that are passed over
 */
export function batchScoredTexts(
  dataset: Dataset,
  encode: EncodeAnywhere,
  settings: RunSettings,
  skip = 0,
): TextBatches {
  const batches: TextBatches = {
    tokenless: 0,
    async *[Symbol.asyncIterator]() {
      const windows = windowTexts(
        placeRows(dataset.rows(), skip),
        DATASET_START,
        // a text of one token has nothing to score, and is treated as one of none
        async (text, maxLength) => {
          const ids = await encode(text, maxLength)
          return ids.length < 2 ? [] : ids
        },
        { ...settings, windowBatches: () => WINDOW_BATCHES },
      )
      for await (const window of windows) {
        batches.tokenless += window.tokenless
        yield* window.batches
      }
    },
  }
  return batches
}

/** Every text after the first `skip`; nobody asks where a run could be taken up again. */
async function* placeRows(rows: AsyncIterable<DatasetRow>, skip: number): AsyncGenerator<PlacedRow> {
  let passed = 0
  for await (const row of rows) {
    if (passed++ >= skip) yield { ...row, end: DATASET_START }
  }
}

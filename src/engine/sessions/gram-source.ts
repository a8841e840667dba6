import type { EncodedText } from '../../texts/tokens/windows.js'

/** A batch of texts and, for each text, places of tokens in it. */
export interface AskedBatch {
  texts: EncodedText[]
  asked: number[][]
}

/** A decoder that answers for batches of texts with inner products of its states. */
export interface GramSource {
  /**
   * Runs batches and returns for each, in their order, the inner products of states 0..L with each other at each
   * asked token: [tokens asked, L + 1, L + 1] row-major float64.
   */
  measureGrams(batches: AskedBatch[]): AsyncGenerator<Float64Array>
  close(): Promise<void>
}

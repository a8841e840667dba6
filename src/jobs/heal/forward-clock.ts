import { type EncodedText, longestOf } from '../../texts/tokens/windows.js'

/** Times a measurement over batches of texts, without its first batch, before which the model is loaded. */
export class ForwardClock {
  /** Tokens run, padding included, by the number of texts done. */
  readonly #tokensAfter = new Map<number, number>()
  readonly #now: () => number
  #first: { ms: number; tokens: number } | undefined
  #last: { ms: number; tokens: number } | undefined

  /** @param now milliseconds, of any start */
  constructor(batches: EncodedText[][], now = () => performance.now()) {
    this.#now = now
    let [texts, tokens] = [0, 0]
    for (const batch of batches) {
      texts += batch.length
      tokens += batch.length * longestOf(batch)
      this.#tokensAfter.set(texts, tokens)
    }
  }

  /** @param texts  done so far; nothing is noted within a batch */
  note(texts: number): void {
    const tokens = this.#tokensAfter.get(texts)
    if (tokens === undefined || tokens === this.#last?.tokens) return
    this.#last = { ms: this.#now(), tokens }
    this.#first ??= this.#last
  }

  /** Undefined if there was only one batch. */
  tokensPerSecond(): number | undefined {
    if (this.#first === undefined || this.#first === this.#last) return undefined
    return (1000 * (this.#last!.tokens - this.#first.tokens)) / (this.#last!.ms - this.#first.ms)
  }
}

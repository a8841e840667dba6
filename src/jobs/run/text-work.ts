import type { Progress } from '../../base/progress.js'
import type { TextTotal } from '../../texts/data/count-texts.js'
import type { EncodedText } from '../../texts/tokens/windows.js'

/** The share of a run's work that is done, in tokens, because batches of long texts come first in each window. */
export class TextWork {
  /** Texts and tokens of the windows before the last. */
  #before: { texts: number; tokens: number }
  /** Tokens of the last window up to each of its texts, in the order in which they run. */
  #ends: number[] = []
  /** Tokens that did not have to run. */
  #skipped = 0

  /** @param done by an earlier run that is resumed */
  constructor(done = { texts: 0, tokens: 0 }) {
    this.#before = done
  }

  addWindow(batches: EncodedText[][]): void {
    this.#before = this.#known()
    let tokens = 0
    this.#ends = batches.flat().map(({ ids }) => {
      tokens += ids.length
      return tokens
    })
  }

  /** Records texts that did not have to run because their results are known. */
  skip(texts: EncodedText[]): void {
    for (const { ids } of texts) this.#skipped += ids.length
  }

  /** Progress of a phase; `done` counts parts of texts too, `found` is null if it is not known. */
  describe(phase: string, done: number, found: TextTotal | null): Progress {
    const { texts: total = null, isEstimate = false } = found ?? {}
    return { phase, done, total, isEstimate, unit: 'text', share: this.shareOf(done, total) }
  }

  /**
   * @param texts  that are done; parts of one count
   * @param total  null if it is not known
   * @returns the share of all tokens to run that are done, if texts to come are of average length; null if unknown
   */
  shareOf(texts: number, total: number | null): number | null {
    if (total === null) return null
    const known = this.#known()
    if (known.texts === 0) return 0
    const all = known.tokens + Math.max(0, total - known.texts) * (known.tokens / known.texts)
    const left = all - this.#skipped
    return left > 0 ? Math.min(1, Math.max(0, this.#tokensOf(texts) - this.#skipped) / left) : 1
  }

  /** Texts and tokens of all windows so far. */
  #known(): { texts: number; tokens: number } {
    const { texts, tokens } = this.#before
    return { texts: texts + this.#ends.length, tokens: tokens + (this.#ends.at(-1) ?? 0) }
  }

  #tokensOf(texts: number): number {
    const ofWindow = Math.max(0, texts - this.#before.texts)
    const whole = Math.floor(ofWindow)
    const start = this.#ends[whole - 1] ?? 0
    const end = this.#ends[whole] ?? start
    return this.#before.tokens + start + (ofWindow - whole) * (end - start)
  }
}

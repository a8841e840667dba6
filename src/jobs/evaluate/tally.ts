import { TextStatistics } from '../../base/statistics/text-statistics.js'
import type { Block } from '../../model/layers/block.js'
import type { CutFigures, FailedCandidate, Figures } from '../../results/documents/evaluation-result.js'

/** Adds up the scores of texts under each candidate; the first is the reference of the others. */
export class Tally {
  scoredTokens = 0
  scoredBytes = 0
  readonly #statistics: TextStatistics
  readonly #nats: Float64Array
  readonly #failed = new Set<number>()

  constructor(candidates: number) {
    this.#statistics = new TextStatistics(candidates, [{ from: 0, size: candidates }])
    this.#nats = new Float64Array(candidates)
  }

  get texts(): number {
    return this.#statistics.texts
  }

  /** @param nats for each candidate, the negative log-likelihood of the text's scored tokens */
  addText(nats: Float64Array, scoredTokens: number, scoredBytes: number): void {
    for (const [candidate, value] of nats.entries()) if (!Number.isFinite(value)) this.#failed.add(candidate)
    const finite = nats.map((value) => (Number.isFinite(value) ? value : 0))
    this.#statistics.addText(finite, scoredTokens)
    this.scoredTokens += scoredTokens
    this.scoredBytes += scoredBytes
    for (const [candidate, value] of finite.entries()) this.#nats[candidate]! += value
  }

  /** Whether a candidate has no finite perplexity: a text's log-likelihood was not finite, or their mean is too low. */
  hasFailed(candidate: number): boolean {
    return this.#failed.has(candidate) || Math.exp(this.#statistics.mean(candidate)) === Infinity
  }

  figures(candidate: number): Figures {
    const perplexity = Math.exp(this.#statistics.mean(candidate))
    const error = this.#statistics.standardError(candidate)
    return {
      perplexity,
      // the derivative of the exponential carries an error over (delta method)
      standardError: error === null ? null : perplexity * error,
      bitsPerByte: this.#nats[candidate]! / Math.LN2 / this.scoredBytes,
    }
  }

  compare(candidate: number, removed: Block[]): CutFigures | FailedCandidate {
    if (this.hasFailed(candidate)) return { removed, perplexity: null }
    return { removed, ...this.figures(candidate), excess: this.#statistics.difference(candidate, 0) }
  }
}

import { LayerpruneError } from '../../base/errors.js'
import type { Block } from '../../model/layers/block.js'
import type { EvaluationResult, Figures, TextFigures } from '../../results/documents/evaluation-result.js'
import { Tally } from './tally.js'

/** Adds up the scores of texts under the whole model and each candidate. */
export class EvaluationSums {
  readonly #removed: Block[][]
  readonly #tally: Tally
  readonly #divergences: Float64Array
  readonly #agreements: Float64Array

  /** @param removed  of each candidate */
  constructor(removed: Block[][]) {
    this.#removed = removed
    this.#tally = new Tally(removed.length + 1)
    this.#divergences = new Float64Array(removed.length + 1)
    this.#agreements = new Float64Array(removed.length + 1)
  }

  /** @param scores  of the whole model, then of each candidate; null is not finite */
  addText({ scoredTokens, scoredBytes, scores }: TextFigures): void {
    const nats = Float64Array.from(scores, ([value]) => value ?? Infinity)
    this.#tally.addText(nats, scoredTokens, scoredBytes)
    for (const [model, [, divergence, agreement]] of scores.entries()) {
      this.#divergences[model]! += divergence ?? Infinity
      this.#agreements[model]! += agreement ?? Infinity
    }
  }

  get texts(): number {
    return this.#tally.texts
  }

  /** How much was measured, as an evaluation names it. */
  counts(): Pick<EvaluationResult['dataset'], 'texts' | 'tokens' | 'scoredTokens' | 'scoredBytes'> {
    const { texts, scoredTokens, scoredBytes } = this.#tally
    // every token but the first of each text is scored
    return { texts, tokens: scoredTokens + texts, scoredTokens, scoredBytes }
  }

  /** @throws LayerpruneError if the whole model's perplexity is not a finite number */
  figures(): Figures & Pick<EvaluationResult, 'candidates'> {
    if (this.#tally.hasFailed(0)) {
      throw new LayerpruneError("the whole model's perplexity is too large for a number")
    }
    return {
      ...this.#tally.figures(0),
      candidates: this.#removed.map((blocks, index) => {
        const figures = this.#tally.compare(index + 1, blocks)
        return figures.perplexity === null ? figures : { ...figures, ...this.#nearness(index + 1) }
      }),
    }
  }

  #nearness(model: number): { kl: number | null; agreement: number } {
    const kl = this.#divergences[model]! / this.#tally.scoredTokens
    return {
      kl: Number.isFinite(kl) ? kl : null,
      agreement: this.#agreements[model]! / this.#tally.scoredTokens,
    }
  }
}

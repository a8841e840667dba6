import type { CandidateFigures } from '../documents/evaluation-result.js'
import type { Compared } from './evaluator.js'

/** Adds up how near what candidates predict comes to what the whole model predicts. */
export class Nearness {
  readonly #divergences: Float64Array
  readonly #agreements: Float64Array

  constructor(candidates: number) {
    this.#divergences = new Float64Array(candidates)
    this.#agreements = new Float64Array(candidates)
  }

  /** @param compared of each candidate, the texts of a batch */
  addBatch(compared: Pick<Compared, 'divergences' | 'agreements'>[]): void {
    for (const [candidate, { divergences, agreements }] of compared.entries()) {
      for (const value of divergences) this.#divergences[candidate]! += value
      for (const value of agreements) this.#agreements[candidate]! += value
    }
  }

  figures(candidate: number, scoredTokens: number): Pick<CandidateFigures, 'kl' | 'agreement'> {
    const kl = this.#divergences[candidate]! / scoredTokens
    return { kl: Number.isFinite(kl) ? kl : null, agreement: this.#agreements[candidate]! / scoredTokens }
  }
}

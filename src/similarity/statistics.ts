/**
 * Running means of many quantities over texts, where a text contributes one or more values to each.
 *
 * A mean is over values, so every token counts once; its standard error is over texts, since the tokens of a
 * text are not independent: the ratio estimator's, which for one value a text is the usual s / sqrt(texts).
 * Only sums are kept, so that runs can be added.
 */
export class RunningMeans {
  texts = 0
  /** Values of all texts, for each quantity. */
  count = 0
  #squaredCount = 0
  readonly #sum: Float64Array
  readonly #squaredSum: Float64Array
  readonly #sumTimesCount: Float64Array

  constructor(quantities: number) {
    this.#sum = new Float64Array(quantities)
    this.#squaredSum = new Float64Array(quantities)
    this.#sumTimesCount = new Float64Array(quantities)
  }

  /** @param sums  for each quantity, the sum of the text's `count` values */
  addText(sums: Float64Array, count: number): void {
    this.texts++
    this.count += count
    this.#squaredCount += count * count
    for (const [quantity, sum] of sums.entries()) {
      this.#sum[quantity]! += sum
      this.#squaredSum[quantity]! += sum * sum
      this.#sumTimesCount[quantity]! += sum * count
    }
  }

  mean(quantity: number): number {
    return this.#sum[quantity]! / this.count
  }

  /** Standard error of the mean over texts; null for a single text. */
  standardError(quantity: number): number | null {
    if (this.texts < 2) return null
    const mean = this.mean(quantity)
    const squaredResiduals =
      this.#squaredSum[quantity]! -
      2 * mean * this.#sumTimesCount[quantity]! +
      mean * mean * this.#squaredCount
    return Math.sqrt((Math.max(0, squaredResiduals) * this.texts) / (this.texts - 1)) / this.count
  }
}

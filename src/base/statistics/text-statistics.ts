import { ExactSums } from './exact-sums.js'

/** How far two means lie apart. */
export interface Difference {
  difference: number
  /** Over the same texts; null for a single text. */
  standardError: number | null
}

/** A run of quantities that are compared with each other: `size` of them, from quantity `from`. */
export interface ComparedRun {
  from: number
  size: number
}

/** Sums as they are kept in a file; the strings are what `ExactSums` saves. */
export interface SavedStatistics {
  texts: number
  count: number
  squaredCount: number
  sum: string
  sumTimesCount: string
  square: string
  product: string
}

/**
 * Running means of many quantities over texts, where a text contributes one or more values to each, and paired
 * differences among runs of them.
 *
 * A mean is over values, so every token counts once; its standard error is over texts, since the tokens of a
 * text are not independent: the ratio estimator's (Cochran, Sampling Techniques, 6.3), which for one value a
 * text is the usual s / sqrt(texts). A difference of two means is the ratio of each text's difference to its
 * count, so that what the two quantities share in a text cancels.
 * Only sums are kept, of products too, so that runs over other texts can be added.
 */
export class TextStatistics {
  texts = 0
  /** Values of all texts, for each quantity. */
  count = 0
  #squaredCount = 0
  #sum: ExactSums
  #sumTimesCount: ExactSums
  #square: ExactSums
  /** One for each pair of quantities a < b of a compared run; run by run, row by row. */
  #product: ExactSums
  readonly #compared: ComparedRun[]

  /** @param compared runs of quantities that `difference` may be asked for, two of the same run at a time */
  constructor(quantities: number, compared: ComparedRun[]) {
    this.#compared = compared
    this.#sum = new ExactSums(quantities)
    this.#sumTimesCount = new ExactSums(quantities)
    this.#square = new ExactSums(quantities)
    this.#product = new ExactSums(compared.reduce((sum, { size }) => sum + countPairs(size), 0))
  }

  /** @param sums  for each quantity, the sum of the text's `count` values */
  addText(sums: Float64Array, count: number): void {
    this.texts++
    this.count += count
    this.#squaredCount += count * count
    for (const [quantity, sum] of sums.entries()) {
      this.#sum.add(quantity, sum)
      this.#square.addProduct(quantity, sum, sum)
      this.#sumTimesCount.addProduct(quantity, sum, count)
    }
    let pair = 0
    for (const { from, size } of this.#compared) {
      for (let a = from; a < from + size; a++) {
        for (let b = a + 1; b < from + size; b++) this.#product.addProduct(pair++, sums[a]!, sums[b]!)
      }
    }
  }

  /** Adds the texts of another run, of the same quantities. */
  add(other: TextStatistics): void {
    this.texts += other.texts
    this.count += other.count
    this.#squaredCount += other.#squaredCount
    this.#sum.addAll(other.#sum)
    this.#sumTimesCount.addAll(other.#sumTimesCount)
    this.#square.addAll(other.#square)
    this.#product.addAll(other.#product)
  }

  mean(quantity: number): number {
    return this.#sum.value(quantity) / this.count
  }

  /** Standard error of the mean over texts; null for a single text. */
  standardError(quantity: number): number | null {
    return this.#errorOf([[1, quantity]], this.mean(quantity))
  }

  /** Mean of compared quantity a minus mean of compared quantity b, over the same texts. */
  difference(a: number, b: number): Difference {
    const sum = new ExactSums(1)
    sum.addScaled(0, 1, this.#sum, a)
    sum.addScaled(0, -1, this.#sum, b)
    const difference = sum.value(0) / this.count
    const weights: [number, number][] = [
      [1, a],
      [-1, b],
    ]
    return { difference, standardError: this.#errorOf(weights, difference) }
  }

  save(): SavedStatistics {
    return {
      texts: this.texts,
      count: this.count,
      squaredCount: this.#squaredCount,
      sum: this.#sum.save(),
      sumTimesCount: this.#sumTimesCount.save(),
      square: this.#square.save(),
      product: this.#product.save(),
    }
  }

  /** @throws RangeError if a result of `save` does not fit the quantities */
  static restore(saved: SavedStatistics, quantities: number, compared: ComparedRun[]): TextStatistics {
    const statistics = new TextStatistics(quantities, compared)
    for (const count of [saved.texts, saved.count, saved.squaredCount]) {
      if (!(Number.isSafeInteger(count) && count > 0)) throw new RangeError('a count is not a positive whole number')
    }
    statistics.texts = saved.texts
    statistics.count = saved.count
    statistics.#squaredCount = saved.squaredCount
    statistics.#sum = ExactSums.restore(saved.sum, quantities)
    statistics.#sumTimesCount = ExactSums.restore(saved.sumTimesCount, quantities)
    statistics.#square = ExactSums.restore(saved.square, quantities)
    statistics.#product = ExactSums.restore(saved.product, statistics.#product.length)
    return statistics
  }

  /** Standard error of a weighted sum of quantities of that mean, from the texts' (weighted sum - mean * count)^2. */
  #errorOf(weights: [weight: number, quantity: number][], mean: number): number | null {
    if (this.texts < 2) return null
    const residuals = new ExactSums(1)
    for (const [weight, quantity] of weights) {
      residuals.addScaled(0, weight * weight, this.#square, quantity)
      residuals.addScaled(0, -2 * mean * weight, this.#sumTimesCount, quantity)
    }
    if (weights.length === 2) {
      const [[weightA, a], [weightB, b]] = weights as [[number, number], [number, number]]
      residuals.addScaled(0, 2 * weightA * weightB, this.#product, this.#pairIndex(a, b))
    }
    residuals.addProduct(0, mean, mean * this.#squaredCount)
    return Math.sqrt((Math.max(0, residuals.value(0)) * this.texts) / (this.texts - 1)) / this.count
  }

  #pairIndex(a: number, b: number): number {
    let pairsBefore = 0
    for (const { from, size } of this.#compared) {
      const first = Math.min(a, b) - from
      const second = Math.max(a, b) - from
      if (first >= 0 && second < size) {
        return pairsBefore + first * size - (first * (first + 1)) / 2 + second - first - 1
      }
      pairsBefore += countPairs(size)
    }
    throw new RangeError(`quantities ${a} and ${b} are not compared`)
  }
}

function countPairs(size: number): number {
  return (size * (size - 1)) / 2
}

/** 2^27 + 1, which splits a float64 into two halves whose products are exact (Dekker 1971). */
const SPLITTER = 134217729

/**
 * Running sums that keep about 32 decimal digits, each as an unevaluated pair of float64 (Dekker 1971; Knuth,
 * TAOCP 2, 4.2.2). What is left after large terms cancel, such as the variance of a tiny difference, is right,
 * and the order of the terms shows only far beyond the digits of a float64: so partial sums can be added.
 */
export class ExactSums {
  readonly #high: Float64Array
  readonly #low: Float64Array

  constructor(length: number) {
    this.#high = new Float64Array(length)
    this.#low = new Float64Array(length)
  }

  get length(): number {
    return this.#high.length
  }

  add(index: number, term: number): void {
    const high = this.#high[index]!
    const sum = high + term
    const part = sum - high
    this.#settle(index, sum, this.#low[index]! + (high - (sum - part)) + (term - part))
  }

  /** Adds a * b, not rounded, to sum `index`. */
  addProduct(index: number, a: number, b: number): void {
    const product = a * b
    const aHigh = highHalf(a)
    const bHigh = highHalf(b)
    const aLow = a - aHigh
    const bLow = b - bHigh
    const error = aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow)
    this.add(index, product)
    this.#settle(index, this.#high[index]!, this.#low[index]! + error)
  }

  /** Adds `factor` times sum `from` of others to sum `index`. */
  addScaled(index: number, factor: number, others: ExactSums, from: number): void {
    this.addProduct(index, factor, others.#high[from]!)
    this.addProduct(index, factor, others.#low[from]!)
  }

  /** Adds sums of the same length, each to its like. */
  addAll(others: ExactSums): void {
    for (let index = 0; index < others.length; index++) {
      this.add(index, others.#high[index]!)
      this.add(index, others.#low[index]!)
    }
  }

  value(index: number): number {
    return this.#high[index]!
  }

  /** Both halves of every sum, as base64 of little-endian float64: first the high halves, then the low. */
  save(): string {
    const bytes = new DataView(new ArrayBuffer(16 * this.length))
    for (const [index, half] of [...this.#high, ...this.#low].entries()) bytes.setFloat64(8 * index, half, true)
    return Buffer.from(bytes.buffer).toString('base64')
  }

  /** @throws RangeError if a text that `save` wrote holds another number of sums, or one that is not finite */
  static restore(text: string, length: number): ExactSums {
    const { buffer, byteOffset, byteLength } = Buffer.from(text, 'base64')
    if (byteLength !== 16 * length) throw new RangeError(`${byteLength / 16} sums, expected ${length}`)
    const bytes = new DataView(buffer, byteOffset, byteLength)
    const sums = new ExactSums(length)
    for (let index = 0; index < length; index++) {
      sums.#high[index] = bytes.getFloat64(8 * index, true)
      sums.#low[index] = bytes.getFloat64(8 * (length + index), true)
      if (!Number.isFinite(sums.#high[index]! + sums.#low[index]!)) {
        throw new RangeError(`sum ${index} is not finite`)
      }
    }
    return sums
  }

  /** Keeps the low half below the last digit of the high one. */
  #settle(index: number, high: number, low: number): void {
    const sum = high + low
    this.#high[index] = sum
    this.#low[index] = low - (sum - high)
  }
}

/** The value to half its digits: the rest of them are exact too. */
function highHalf(value: number): number {
  const scaled = SPLITTER * value
  return scaled - (scaled - value)
}

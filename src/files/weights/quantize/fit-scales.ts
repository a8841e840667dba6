/**
 * Searches for the scales of blocks of numbers, so that rounding loses least; in the way of llama.cpp's quantisers. What
 * decides how a number is rounded is computed in float32 as there: bfloat16 weights are often halfway between two codes.
 */

/** Adding and taking away this number rounds a float64 to a whole number, ties to even. */
const ROUNDING = 1.5 * 2 ** 52
/** Blocks of smaller numbers are zero. */
const LEAST = 1e-15

const { fround } = Math

export function nearest(value: number): number {
  return value + ROUNDING - ROUNDING
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high)
}

/** How a range is searched: the range of codes is tried at `first`, `first + step` and so on more than their highest. */
export interface RangeSearch {
  first: number
  step: number
  steps: number
}

/** x is about scale * code + low, for codes from 0. */
export interface RangeFit {
  scale: number
  low: number
}

/**
 * Fits scale and low of a block by weighted least squares over several ways to round; low is at most 0.
 * @param x  the block is at [start, start + weights.length)
 * @param most  the highest code
 */
export function fitRange(
  x: Float32Array,
  start: number,
  most: number,
  weights: Float64Array,
  { first, step, steps }: RangeSearch,
): RangeFit {
  const count = weights.length
  let [low, high, sum, ofX, ofSquares] = [0, x[start]!, 0, 0, 0]
  for (let index = 0; index < count; index++) {
    const value = x[start + index]!
    const weight = weights[index]!
    if (value < low) low = value
    if (value > high) high = value
    sum += weight
    ofX += weight * value
    ofSquares += weight * value * value
  }
  if (high <= low) return { scale: 0, low }
  let scale = (high - low) / most
  let least = Infinity
  for (let turn = -1; turn <= steps; turn++) {
    const inverse = fround((turn < 0 ? most : first + step * turn + most) / (high - low))
    let [ofCodes, ofCodeSquares, ofProducts] = [0, 0, 0]
    for (let index = 0; index < count; index++) {
      const value = x[start + index]!
      const code = clamp(nearest(fround(inverse * fround(value - low))), 0, most)
      const weighted = weights[index]! * code
      ofCodes += weighted
      ofCodeSquares += weighted * code
      ofProducts += weighted * value
    }
    let [ownScale, ownLow] = [scale, low]
    if (turn >= 0) {
      const determinant = sum * ofCodeSquares - ofCodes * ofCodes
      if (determinant <= 0) continue
      ownScale = (sum * ofProducts - ofX * ofCodes) / determinant
      ownLow = (ofCodeSquares * ofX - ofCodes * ofProducts) / determinant
      if (ownLow > 0) [ownScale, ownLow] = [ofProducts / ofCodeSquares, 0]
    }
    const error =
      ofSquares +
      ownScale * (ownScale * ofCodeSquares + 2 * (ownLow * ofCodes - ofProducts)) +
      ownLow * (ownLow * sum - 2 * ofX)
    if (error < least) [least, scale, low] = [error, fround(ownScale), fround(ownLow)]
  }
  return { scale, low }
}

/**
 * Fits the scale of a block for codes of both signs, from -most to most - 1, so that x is about scale * code.
 * @param weights  of each number; their squares if omitted
 */
export function fitSymmetric(
  x: Float32Array,
  start: number,
  count: number,
  most: number,
  weights?: Float64Array,
): number {
  let [largest, extreme] = [0, 0]
  for (let index = start; index < start + count; index++) {
    const size = Math.abs(x[index]!)
    if (size > largest) [largest, extreme] = [size, x[index]!]
  }
  if (largest < LEAST) return 0
  let [scale, best] = [0, 0]
  for (let turn = -10; turn <= 9; turn++) {
    // first with the whole range, then with a little less and more of it
    if (turn === 0) continue
    const inverse = fround(-(most + (turn === -10 ? 0 : 0.1 * turn)) / extreme)
    let [products, squares] = [0, 0]
    for (let index = 0; index < count; index++) {
      const value = x[start + index]!
      const code = clamp(nearest(fround(inverse * value)), -most, most - 1)
      const weighted = (weights === undefined ? value * value : weights[index]!) * code
      products += weighted * value
      squares += weighted * code
    }
    if (squares > 0 && (turn === -10 || products * products > best * squares)) {
      scale = fround(products / squares)
      best = scale * products
    }
  }
  return scale
}

/** x is about scale * code, for codes from 0. */
export interface CodedScales {
  scale: number
  codes: Uint8Array
}

/** Fits one scale for numbers that are not negative, moves single codes while that helps, and returns all of them. */
export function fitPositive(x: Float64Array, most: number, weights: Float64Array): CodedScales {
  const codes = new Uint8Array(x.length)
  const high = x.reduce((largest, value) => Math.max(largest, value), 0)
  if (high < LEAST) return { scale: 0, codes }
  const errorOf = (inverse: number) =>
    x.reduce((sum, value, index) => {
      const difference = value - Math.min(most, nearest(inverse * value)) / inverse
      return sum + weights[index]! * difference * difference
    }, 0)
  let [inverse, least] = [most / high, errorOf(most / high)]
  for (let turn = -4; turn <= 4; turn++) {
    const own = (0.1 * turn + most) / high
    const error = errorOf(own)
    if (error < least) [inverse, least] = [own, error]
  }
  for (const [index, value] of x.entries()) codes[index] = Math.min(most, nearest(inverse * value))
  return { scale: improveCodes(x, codes, most, weights), codes }
}

const MOST_ROUNDS = 5

/** Changes codes one by one to what the scale of the others asks for; returns the scale of all. */
function improveCodes(x: Float64Array, codes: Uint8Array, most: number, weights: Float64Array): number {
  let [products, squares] = [0, 0]
  for (const [index, code] of codes.entries()) {
    products += weights[index]! * x[index]! * code
    squares += weights[index]! * code * code
  }
  for (let round = 0; round < MOST_ROUNDS; round++) {
    let changed = false
    for (const [index, value] of x.entries()) {
      const [weight, code] = [weights[index]!, codes[index]!]
      let ofProducts = products - weight * value * code
      let ofSquares = squares - weight * code * code
      if (ofProducts <= 0 || ofSquares <= 0) continue
      const other = Math.min(most, nearest((value * ofSquares) / ofProducts))
      if (other === code) continue
      ofProducts += weight * value * other
      ofSquares += weight * other * other
      if (ofProducts * ofProducts * squares <= products * products * ofSquares) continue
      codes[index] = other
      ;[products, squares, changed] = [ofProducts, ofSquares, true]
    }
    if (!changed) break
  }
  return squares > 0 ? products / squares : 0
}

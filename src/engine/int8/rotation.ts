import { createRandom } from '../../base/random.js'

/** Floats in a cache line: columns are processed this many at a time. */
const COLUMNS = 16

/**
 * Q from random signs, a Walsh-Hadamard matrix of the largest power of two in the size, and a Hartley matrix of the
 * odd factor. Each row of Q spreads over all channels, and v Q takes about log2(size) steps per number.
 */
export class Rotation {
  readonly size: number
  readonly #signs: Float64Array
  readonly #power: number
  /** [odd, odd] row-major, where `odd` is the size's odd factor; includes the scale of the whole matrix. */
  readonly #hartley: Float64Array
  readonly #row: Float64Array

  constructor(size: number) {
    this.size = size
    const random = createRandom(size)
    this.#signs = Float64Array.from({ length: size }, () => (random.below(2) === 0 ? 1 : -1))
    this.#power = size & -size
    const odd = size / this.#power
    this.#hartley = Float64Array.from({ length: odd ** 2 }, (_, index) => {
      const angle = (2 * Math.PI * ((Math.floor(index / odd) * (index % odd)) % odd)) / odd
      return (Math.cos(angle) + Math.sin(angle)) / Math.sqrt(size)
    })
    this.#row = new Float64Array(size)
  }

  /** Q itself, [size, size] row-major. */
  matrix(): Float32Array<ArrayBuffer> {
    const { size } = this
    const matrix = new Float32Array(size ** 2)
    for (let row = 0; row < size; row++) matrix[row * size + row] = 1
    this.rotateRows(matrix)
    return matrix
  }

  /** Multiplies each row of a matrix [rows, size] by Q, in place. */
  rotateRows(values: Float32Array): void {
    const row = this.#row
    for (let start = 0; start < values.length; start += this.size) {
      for (let index = 0; index < this.size; index++) row[index] = values[start + index]!
      values.set(this.#rotate(row), start)
    }
  }

  /** Multiplies each column of a matrix [size, columns] by Q as if it were a row, in place. */
  rotateColumns(values: Float32Array, columns: number): void {
    const { size } = this
    const taken = new Float32Array(COLUMNS * size)
    for (let first = 0; first < columns; first += COLUMNS) {
      const count = Math.min(COLUMNS, columns - first)
      for (let index = 0; index < size; index++) {
        for (let column = 0; column < count; column++) {
          taken[column * size + index] = values[index * columns + first + column]!
        }
      }
      this.rotateRows(taken)
      for (let index = 0; index < size; index++) {
        for (let column = 0; column < count; column++) {
          values[index * columns + first + column] = taken[column * size + index]!
        }
      }
    }
  }

  #rotate(row: Float64Array): Float64Array {
    for (let index = 0; index < row.length; index++) row[index]! *= this.#signs[index]!
    const odd = this.size / this.#power
    for (let half = odd; half < this.size; half *= 2) {
      for (let start = 0; start < this.size; start += 2 * half) {
        for (let index = start; index < start + half; index++) {
          const [left, right] = [row[index]!, row[index + half]!]
          row[index] = left + right
          row[index + half] = left - right
        }
      }
    }
    return this.#multiplyHartley(row)
  }

  #multiplyHartley(row: Float64Array): Float64Array {
    const odd = this.size / this.#power
    const part = new Float64Array(odd)
    for (let start = 0; start < this.size; start += odd) {
      for (let index = 0; index < odd; index++) {
        let sum = 0
        for (let other = 0; other < odd; other++) {
          sum += row[start + other]! * this.#hartley[index * odd + other]!
        }
        part[index] = sum
      }
      row.set(part, start)
    }
    return row
  }
}

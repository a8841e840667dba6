/** Numbers that share a factor, one after another in a row. */
export const BLOCK_SIZE = 32

export type BlockBits = 4 | 8

export interface Blocks {
  /** Unsigned, with their middle added; of 4 bits two in a byte, the first in its lower half. */
  numbers: Uint8Array
  /** One for each block. */
  factors: Float32Array
}

/**
 * Steps between 0 and the value of largest magnitude that are tried for 4 bits: with 8 it is a number itself, others give
 * the smaller values finer steps, or both signs the same range.
 */
const TRIED_STEPS = [8, 7.75, 7.5, 7.25, 7, 6.75, 6.5, 8.25, 8.5, 8.75, 9]

/**
 * Rounds a matrix to blocks of small numbers, as MatMulNBits and GatherBlockQuantized of ONNX Runtime read them without
 * zero points: value = (number - 2^(bits - 1)) * factor. Of 4 bits the factor is the one of those tried that has the
 * smallest squared error; it is negative if the value of largest magnitude is positive.
 * @param values  [rows, width], where the width is a multiple of the block
 */
export function encodeBlocks(values: Float32Array, bits: BlockBits): Blocks {
  const factors = new Float32Array(values.length / BLOCK_SIZE)
  const numbers = new Uint8Array((values.length * bits) / 8)
  for (let block = 0; block < factors.length; block++) {
    const start = block * BLOCK_SIZE
    const extreme = findExtreme(values, start)
    if (bits === 8) {
      factors[block] = Math.fround(Math.abs(extreme) / 127)
      const inverse = invert(factors[block]!)
      for (let index = start; index < start + BLOCK_SIZE; index++) {
        numbers[index] = Math.round(values[index]! * inverse) + 128
      }
    } else {
      factors[block] = chooseFactor(values, start, extreme)
      const inverse = invert(factors[block]!)
      for (let index = start; index < start + BLOCK_SIZE; index += 2) {
        numbers[index / 2] = roundTo4(values[index]! * inverse) | (roundTo4(values[index + 1]! * inverse) << 4)
      }
    }
  }
  return { numbers, factors }
}

/** The value of largest magnitude in a block. */
function findExtreme(values: Float32Array, start: number): number {
  let extreme = 0
  for (let index = start; index < start + BLOCK_SIZE; index++) {
    if (Math.abs(values[index]!) > Math.abs(extreme)) extreme = values[index]!
  }
  return extreme
}

function chooseFactor(values: Float32Array, start: number, extreme: number): number {
  let best = 0
  let least = Number.POSITIVE_INFINITY
  for (const steps of TRIED_STEPS) {
    const factor = Math.fround(extreme / -steps)
    const inverse = invert(factor)
    let error = 0
    for (let index = start; index < start + BLOCK_SIZE; index++) {
      const difference = (roundTo4(values[index]! * inverse) - 8) * factor - values[index]!
      error += difference * difference
    }
    if (error < least) {
      least = error
      best = factor
    }
  }
  return best
}

/** Unsigned, with the middle added. */
function roundTo4(steps: number): number {
  const number = Math.floor(steps + 8.5)
  return Math.min(Math.max(number, 0), 15)
}

function invert(factor: number): number {
  return factor === 0 ? 0 : 1 / factor
}

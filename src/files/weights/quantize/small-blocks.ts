import { float16Bits } from '../encode-floats.js'
import { clamp, fitRange, fitSymmetric, nearest, type RangeSearch } from './fit-scales.js'

/** Numbers in a block. */
const SIZE = 32
const HALF = SIZE / 2
/** How llama.cpp searches ranges if it knows the importance of columns. */
export const FINE_SEARCH: RangeSearch = { first: -0.9, step: 0.05, steps: 36 }

/** Writes a row of numbers as blocks of a type: 32 numbers after the scale that they share. */
export type QuantizeRow = (x: Float32Array, into: Uint8Array, importance?: Float32Array) => void

/** Eight bits, rounded to the nearest, ties away from zero. */
export const quantizeQ8: QuantizeRow = (x, into) => {
  for (let start = 0, at = 0; start < x.length; start += SIZE, at += 2 + SIZE) {
    const scale = Math.fround(largestOf(x, start) / 127)
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale)
    writeHalf(into, at, scale)
    for (let index = 0; index < SIZE; index++) {
      const value = Math.fround(x[start + index]! * inverse)
      into[at + 2 + index] = Math.sign(value) * Math.floor(Math.abs(value) + 0.5)
    }
  }
}

/** Four or five bits with a sign: the number of the largest size becomes the lowest code. */
export function quantizeSymmetric(bits: 4 | 5): QuantizeRow {
  const most = 2 ** (bits - 1)
  const headBytes = bits === 4 ? 2 : 6
  const codes = new Uint8Array(SIZE)
  return (x, into, importance) => {
    const weigh = importance && weighRow(x, importance)
    for (let start = 0, at = 0; start < x.length; start += SIZE, at += headBytes + HALF) {
      const scale =
        weigh === undefined
          ? Math.fround(extremeOf(x, start) / -most)
          : fitSymmetric(x, start, SIZE, most, weigh(start))
      const inverse = scale === 0 ? 0 : Math.fround(1 / scale)
      writeHalf(into, at, scale)
      for (let index = 0; index < SIZE; index++) {
        const value = Math.fround(x[start + index]! * inverse)
        const code = weigh === undefined ? Math.trunc(Math.fround(value + most + 0.5)) : nearest(value) + most
        codes[index] = clamp(code, 0, 2 * most - 1)
      }
      writeCodes(into, at + headBytes, codes)
      if (bits === 5) writeFifthBits(into, at + 2, codes)
    }
  }
}

/** Four or five bits from the lowest number of a block up. */
export function quantizeRange(bits: 4 | 5): QuantizeRow {
  const most = 2 ** bits - 1
  const headBytes = bits === 4 ? 4 : 8
  const codes = new Uint8Array(SIZE)
  return (x, into, importance) => {
    const weigh = importance && weighRow(x, importance)
    for (let start = 0, at = 0; start < x.length; start += SIZE, at += headBytes + HALF) {
      const { scale, low } =
        weigh === undefined ? plainRange(x, start, most) : fitRange(x, start, most, weigh(start), FINE_SEARCH)
      const inverse = scale === 0 ? 0 : Math.fround(1 / scale)
      writeHalf(into, at, scale)
      writeHalf(into, at + 2, low)
      for (let index = 0; index < SIZE; index++) {
        const value = Math.fround(Math.fround(x[start + index]! - low) * inverse)
        codes[index] = clamp(Math.trunc(Math.fround(value + 0.5)), 0, most)
      }
      writeCodes(into, at + headBytes, codes)
      if (bits === 5) writeFifthBits(into, at + 4, codes)
    }
  }
}

function plainRange(x: Float32Array, start: number, most: number): { scale: number; low: number } {
  let [low, high] = [x[start]!, x[start]!]
  for (let index = start + 1; index < start + SIZE; index++) {
    const value = x[index]!
    if (value < low) low = value
    if (value > high) high = value
  }
  return { scale: Math.fround(Math.fround(high - low) / most), low }
}

/** Sizes of the codes of four bits, of which the highest bit is the sign. */
const MXFP4_SIZES = [0, 0.5, 1, 1.5, 2, 3, 4, 6]
/** Exponent of the largest of them. */
const MXFP4_EXPONENT = 2

/** Floating-point numbers of four bits after an exponent that a block shares. */
export const quantizeMxfp4: QuantizeRow = (x, into) => {
  const codes = new Uint8Array(SIZE)
  for (let start = 0, at = 0; start < x.length; start += SIZE, at += 1 + HALF) {
    const largest = largestOf(x, start)
    const exponent = largest > 0 ? clamp(exponentOf(largest) - MXFP4_EXPONENT + 127, 0, 254) : 0
    into[at] = exponent
    const inverse = 2 ** (127 - exponent)
    for (let index = 0; index < SIZE; index++) codes[index] = mxfp4Code(x[start + index]! * inverse)
    writeCodes(into, at + 1, codes)
  }
}

function exponentOf(value: number): number {
  const exponent = Math.floor(Math.log2(value))
  return 2 ** exponent > value ? exponent - 1 : exponent
}

/** The first of the nearest codes; those of positive numbers come first. */
function mxfp4Code(value: number): number {
  const size = Math.abs(value)
  let code = 0
  for (let other = 1; other < MXFP4_SIZES.length; other++) {
    if (size - MXFP4_SIZES[code]! > MXFP4_SIZES[other]! - size) code = other
  }
  return value < 0 && code > 0 ? code + 8 : code
}

/** The weights of a block: the importance of its columns, more for larger numbers. */
function weighRow(x: Float32Array, importance: Float32Array): (start: number) => Float64Array {
  const variance = x.reduce((sum, value) => sum + value * value, 0) / x.length
  const weights = new Float64Array(SIZE)
  return (start) => {
    for (let index = 0; index < SIZE; index++) {
      const value = x[start + index]!
      weights[index] = importance[start + index]! * Math.sqrt(variance + value * value)
    }
    return weights
  }
}

function largestOf(x: Float32Array, start: number): number {
  return Math.abs(extremeOf(x, start))
}

/** The first number of the largest size. */
function extremeOf(x: Float32Array, start: number): number {
  let extreme = 0
  for (let index = start; index < start + SIZE; index++) {
    if (Math.abs(x[index]!) > Math.abs(extreme)) extreme = x[index]!
  }
  return extreme
}

export function writeHalf(into: Uint8Array, at: number, value: number): void {
  const bits = float16Bits(value)
  into[at] = bits & 0xff
  into[at + 1] = bits >> 8
}

/** The low four bits of each code; the second half of the block is in the high bits. */
function writeCodes(into: Uint8Array, at: number, codes: Uint8Array): void {
  for (let index = 0; index < HALF; index++) {
    into[at + index] = (codes[index]! & 15) | ((codes[index + HALF]! & 15) << 4)
  }
}

/** The fifth bit of each code, one after another. */
function writeFifthBits(into: Uint8Array, at: number, codes: Uint8Array): void {
  for (let byte = 0; byte < SIZE / 8; byte++) {
    let bits = 0
    for (let bit = 0; bit < 8; bit++) bits |= (codes[8 * byte + bit]! >> 4) << bit
    into[at + byte] = bits
  }
}

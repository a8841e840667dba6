import { decodeFloats } from './decode-floats.js'

/** Masks for 32 bits, which hold one number or two: exponents, the lowest bit of each exponent, signs. */
const BITS = {
  F32: { exponents: 0x7f800000, lowest: 0x00800000, signs: 0x80000000 },
  F16: { exponents: 0x7c007c00, lowest: 0x04000400, signs: 0x80008000 },
  BF16: { exponents: 0x7f807f80, lowest: 0x00800080, signs: 0x80008000 },
}

/** Finds the first number that is NaN or infinite in little-endian bytes at a multiple of 4 in their buffer. */
export function findNonFinite(
  bytes: Uint8Array<ArrayBuffer>,
  dtype: keyof typeof BITS,
): { index: number; value: number } | null {
  const { exponents, lowest, signs } = BITS[dtype]
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / 4))
  // only an exponent of ones, which no finite number has, carries into the sign when its lowest bit is added
  let sums = 0
  for (let index = 0; index < words.length; index++) sums |= (words[index]! & exponents) + lowest
  const last = decodeFloats(bytes.subarray(words.byteLength), dtype)
  if ((sums & signs) === 0 && last.every(Number.isFinite)) return null
  const values = decodeFloats(bytes, dtype)
  const index = values.findIndex((value) => !Number.isFinite(value))
  return { index, value: values[index]! }
}

import { describe, expect, it } from 'vitest'
import { encodeFloats } from '../../../src/files/weights/encode-floats.js'

const encode = (dtype: 'BF16' | 'F16', values: number[]) => {
  const location = { name: 't', dtype, shape: [], file: '', offsetBytes: 0, sizeBytes: 0 }
  return [...new Uint16Array(encodeFloats(Float32Array.from(values), location).buffer)]
}

/** Value of a number of `exponentBits` and `mantissaBits` by its bits. */
function decode(bits: number, exponentBits: number, mantissaBits: number): number {
  const sign = bits >> 15 === 0 ? 1 : -1
  const exponent = (bits >> mantissaBits) & (2 ** exponentBits - 1)
  const mantissa = bits & (2 ** mantissaBits - 1)
  const bias = 2 ** (exponentBits - 1) - 1
  if (exponent === 2 ** exponentBits - 1) return mantissa === 0 ? sign * Infinity : Number.NaN
  if (exponent === 0) return sign * mantissa * 2 ** (1 - bias - mantissaBits)
  return sign * (2 ** mantissaBits + mantissa) * 2 ** (exponent - bias - mantissaBits)
}

describe.each([
  ['F16', 5, 10],
  ['BF16', 8, 7],
] as const)('%s', (dtype, exponentBits, mantissaBits) => {
  const infinity = (2 ** exponentBits - 1) << mantissaBits
  const finite = Array.from({ length: infinity }, (_, bits) => bits)

  it('keeps every number that it has', () => {
    const values = finite.map((bits) => decode(bits, exponentBits, mantissaBits))
    expect(encode(dtype, values)).toEqual(finite)
    expect(
      encode(
        dtype,
        values.map((value) => -value),
      ).slice(1),
    ).toEqual(finite.slice(1).map((bits) => bits | 0x8000))
  })

  it('takes what lies between two to the nearer, and the middle to the even one', () => {
    const pairs = finite.slice(0, -1).filter((bits) => bits % 7 === 0 || bits < 40)
    for (const share of [0.25, 0.5, 0.75]) {
      const between = pairs.map((bits) => {
        const [low, high] = [bits, bits + 1].map((b) => decode(b, exponentBits, mantissaBits)) as [number, number]
        return low + share * (high - low)
      })
      const exact = between.map((value) => Math.fround(value) === value)
      const found = encode(dtype, between)
      const expected = pairs.map((bits) => (share === 0.5 ? bits + (bits & 1) : bits + Math.round(share)))
      expect(found.filter((_, index) => exact[index])).toEqual(expected.filter((_, index) => exact[index]))
      expect(exact.filter(Boolean).length).toBeGreaterThan(pairs.length / 2)
    }
  })

  it('has infinities and NaN', () => {
    expect(encode(dtype, [Infinity, -Infinity])).toEqual([infinity, infinity | 0x8000])
    const [nan] = encode(dtype, [Number.NaN])
    expect(decode(nan!, exponentBits, mantissaBits)).toBeNaN()
    if (dtype === 'F16') expect(encode(dtype, [65519, 65520, 1e9, 2 ** -26])).toEqual([0x7bff, 0x7c00, 0x7c00, 0])
  })
})

/** The 8-bit floats of safetensors that ONNX has too, by the bits of exponent and fraction. */
const FORMATS = { F8_E4M3: { fractionBits: 3, bias: 7 }, F8_E5M2: { fractionBits: 2, bias: 15 } } as const

export type Float8Dtype = keyof typeof FORMATS

export function isFloat8(dtype: string): dtype is Float8Dtype {
  return Object.hasOwn(FORMATS, dtype)
}

/** The value of each of the 256 codes: E4M3 has NaN and no infinity, E5M2 has both. */
export function float8Values(dtype: Float8Dtype): number[] {
  const { fractionBits, bias } = FORMATS[dtype]
  const fractions = 2 ** fractionBits
  return Array.from({ length: 256 }, (_, code) => {
    const sign = code & 0x80 ? -1 : 1
    const exponent = (code & 0x7f) >> fractionBits
    const fraction = code & (fractions - 1)
    if (dtype === 'F8_E4M3' && (code & 0x7f) === 0x7f) return NaN
    if (dtype === 'F8_E5M2' && exponent === 31) return fraction === 0 ? sign * Infinity : NaN
    if (exponent === 0) return sign * fraction * 2 ** (1 - bias - fractionBits)
    return sign * (fractions + fraction) * 2 ** (exponent - bias - fractionBits)
  })
}

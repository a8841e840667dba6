/** Little-endian numbers as a checkpoint stores them, to float32, which represents each exactly. */
export function decodeFloats(bytes: Uint8Array<ArrayBuffer>, dtype: 'F32' | 'F16' | 'BF16'): Float32Array {
  if (dtype === 'F32') return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
  const stored = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2)
  const values = new Float32Array(stored.length)
  if (dtype === 'BF16') {
    const bits = new Uint32Array(values.buffer)
    for (let index = 0; index < stored.length; index++) bits[index] = stored[index]! << 16
  } else {
    const table = float16Table()
    for (let index = 0; index < stored.length; index++) values[index] = table[stored[index]!]!
  }
  return values
}

/** The number that the bits of a float16 stand for. */
export function float16Value(bits: number): number {
  return float16Table()[bits]!
}

let table: Float32Array | undefined

/** Every float16 by its bits. */
function float16Table(): Float32Array {
  table ??= Float32Array.from({ length: 1 << 16 }, (_, bits) => {
    const sign = bits & 0x8000 ? -1 : 1
    const exponent = (bits >> 10) & 0x1f
    const fraction = bits & 0x3ff
    if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN
    return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25)
  })
  return table
}

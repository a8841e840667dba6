import { LayerpruneError } from '../../base/errors.js'
import type { TensorLocation } from '../checkpoint/safetensors.js'

/**
 * Float32 values as little-endian bytes of a tensor's type, rounded to the nearest, ties to even.
 * @throws LayerpruneError if the tensor is not stored as F32, F16 or BF16
 */
export function encodeFloats(
  values: Float32Array,
  { name, dtype }: Pick<TensorLocation, 'name' | 'dtype'>,
): Uint8Array {
  if (dtype === 'F32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  if (dtype !== 'F16' && dtype !== 'BF16') {
    throw new LayerpruneError(`tensor ${name} is stored as ${dtype}, expected F32, F16 or BF16 to replace it`)
  }
  const round = dtype === 'F16' ? roundToFloat16 : roundToBfloat16
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const encoded = new Uint16Array(values.length)
  for (let index = 0; index < bits.length; index++) encoded[index] = round(bits[index]!)
  return new Uint8Array(encoded.buffer)
}

const scalar = new Float32Array(1)
const scalarBits = new Uint32Array(scalar.buffer)

/** The bits of the nearest float16, ties to even. */
export function float16Bits(value: number): number {
  scalar[0] = value
  return roundToFloat16(scalarBits[0]!)
}

/** @param bits of a float32 */
function roundToBfloat16(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16
}

/** @param bits of a float32 */
function roundToFloat16(bits: number): number {
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fffffff
  if (magnitude > 0x7f800000) return sign | 0x7e00
  // 65520 and above are infinite
  if (magnitude >= 0x477ff000) return sign | 0x7c00
  // below 2^-14: steps of 2^-24
  if (magnitude < 0x38800000) {
    const exponent = magnitude >>> 23
    // below 2^-25 nothing is left
    if (exponent < 102) return sign
    return sign | shiftRounding((magnitude & 0x7fffff) | 0x800000, 126 - exponent)
  }
  return sign | shiftRounding(magnitude - 0x38000000, 13)
}

/** Shifts to the right, rounding to the nearest, ties to even; a carry goes up into the exponent as it should. */
function shiftRounding(value: number, shift: number): number {
  const half = 1 << (shift - 1)
  const isOdd = (value >>> shift) & 1
  return (value + half - 1 + isOdd) >>> shift
}

import { decodeFloats } from '../../../files/weights/decode-floats.js'
import { encodeFloats } from '../../../files/weights/encode-floats.js'
import { isQuantizedType, type QuantizedType, quantizeRows } from '../../../files/weights/quantize/quantize-rows.js'

/** Types that tensors of a file can be written in. */
export type WrittenType = 'F32' | 'F16' | 'BF16' | QuantizedType

/** Numbers of the checkpoint as they were read: stored ones, or decoded ones. */
export type Numbers = { bytes: Uint8Array<ArrayBuffer>; dtype: 'F32' | 'F16' | 'BF16' } | { values: Float32Array }

/** Rows to convert. */
export interface Chunk {
  numbers: Numbers
  /** Numbers in each of these rows. */
  width: number
  turned?: boolean | undefined
  order?: readonly number[] | undefined
  /** Added to every number. */
  offset: number
  type: WrittenType
  /** How much each column of the rows that are written counts. */
  importance?: Float32Array | undefined
}

/** The rows as a file has them, in its type. */
export function convertChunk(chunk: Chunk): Uint8Array {
  const { numbers, width, turned, order, offset, type, importance } = chunk
  if ('bytes' in numbers && !turned && order === undefined && offset === 0) {
    const { bytes, dtype } = numbers
    if (dtype === type) return bytes
    if (dtype !== 'F32' && (type === 'F16' || type === 'BF16')) return recode(bytes, dtype, type)
  }
  let values = 'values' in numbers ? numbers.values : decodeFloats(numbers.bytes, numbers.dtype)
  let rowWidth = width
  if (turned) {
    rowWidth = values.length / width
    values = turn(values, width)
  }
  if (order !== undefined) values = takeRows(values, rowWidth, order)
  if (offset !== 0) values = values.map((value) => value + offset)
  if (isQuantizedType(type)) return quantizeRows(values, rowWidth, type, importance)
  return encodeFloats(values, { name: 'a tensor of the file', dtype: type })
}

type Half = 'F16' | 'BF16'

/** By the bits of a number in another type of 16 bits. */
const tables = new Map<Half, Uint16Array>()

/** Numbers of 16 bits in another type of 16 bits, by a table of all that there are. */
function recode(bytes: Uint8Array<ArrayBuffer>, from: Half, to: Half): Uint8Array {
  let table = tables.get(from)
  if (table === undefined) {
    const all = Uint16Array.from({ length: 1 << 16 }, (_, bits) => bits)
    const encoded = encodeFloats(decodeFloats(new Uint8Array(all.buffer), from), { name: 'a table', dtype: to })
    table = new Uint16Array(encoded.buffer)
    tables.set(from, table)
  }
  const stored = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2)
  return new Uint8Array(stored.map((bits) => table[bits]!).buffer)
}

/** @param values [rows, width]; the result is [width, rows] */
function turn(values: Float32Array, width: number): Float32Array {
  const rows = values.length / width
  const turned = new Float32Array(values.length)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < width; column++) turned[column * rows + row] = values[row * width + column]!
  }
  return turned
}

function takeRows(values: Float32Array, width: number, order: readonly number[]): Float32Array {
  const taken = new Float32Array(order.length * width)
  for (const [place, row] of order.entries()) {
    taken.set(values.subarray(row * width, (row + 1) * width), place * width)
  }
  return taken
}

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
export function convertChunk({ numbers, width, turned, order, offset, type, importance }: Chunk): Uint8Array {
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

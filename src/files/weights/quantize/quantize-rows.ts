import { GGML_TYPES, idOfGgmlType } from '../../checkpoint/ggml-types.js'
import { quantizeQ6K, quantizeRangeK } from './k-blocks.js'
import { type QuantizeRow, quantizeMxfp4, quantizeQ8, quantizeRange, quantizeSymmetric } from './small-blocks.js'

/** Packed types of llama.cpp that numbers can be rounded to. */
const QUANTIZERS = {
  Q8_0: quantizeQ8,
  Q4_0: quantizeSymmetric(4),
  Q4_1: quantizeRange(4),
  Q5_0: quantizeSymmetric(5),
  Q5_1: quantizeRange(5),
  Q4_K: quantizeRangeK(4),
  Q5_K: quantizeRangeK(5),
  Q6_K: quantizeQ6K,
  MXFP4: quantizeMxfp4,
} satisfies Record<string, QuantizeRow>

export type QuantizedType = keyof typeof QUANTIZERS

export function isQuantizedType(type: string): type is QuantizedType {
  return Object.hasOwn(QUANTIZERS, type)
}

/**
 * Rounds rows of numbers to blocks of a type, as llama.cpp's quantisers do.
 * @param values [rows, width]; the width is a multiple of the block's
 * @param importance [width]: how much each column counts, as an imatrix file has it; all alike if omitted
 */
export function quantizeRows(
  values: Float32Array,
  width: number,
  type: QuantizedType,
  importance?: Float32Array,
): Uint8Array {
  const { numbers, bytes } = GGML_TYPES.get(idOfGgmlType(type))!
  const rowBytes = (width / numbers) * bytes
  const rows = values.length / width
  const into = new Uint8Array(rows * rowBytes)
  const quantize: QuantizeRow = QUANTIZERS[type]
  for (let row = 0; row < rows; row++) {
    const x = values.subarray(row * width, (row + 1) * width)
    quantize(x, into.subarray(row * rowBytes, (row + 1) * rowBytes), importance)
  }
  return into
}

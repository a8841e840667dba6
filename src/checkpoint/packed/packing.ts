import type { TensorLocation } from '../safetensors-header.js'
import { countPackedBytes } from '../weight-expression.js'

/** How weights are stored that are no plain numbers. */
export interface Packing {
  /** In a word, such as fp8. */
  form: string
  /** Bits of a weight, scales and all. */
  bits: number
}

/** What is known of the packed tensors of a checkpoint; null if it has no such form, or none of them. */
export function describePacking(
  form: string | null,
  tensors: Iterable<Pick<TensorLocation, 'shape' | 'expression'>>,
): Packing | null {
  let numbers = 0
  let bytes = 0
  for (const { shape, expression } of tensors) {
    if (expression === undefined) continue
    numbers += shape.reduce((product, size) => product * size, 1)
    bytes += countPackedBytes(expression)
  }
  return form === null || numbers === 0 ? null : { form, bits: (8 * bytes) / numbers }
}

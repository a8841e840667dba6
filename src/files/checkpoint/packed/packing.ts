import { formatList } from '../../../base/format-numbers.js'
import type { TensorLocation } from '../safetensors-header.js'
import { countPackedBytes, type WeightExpression } from '../weight-expression.js'

/** How weights are stored that are no plain numbers. */
export interface Packing {
  /** In a word, such as fp8. */
  form: string
  /** Bits of a weight, scales and all. */
  bits: number
}

/** The packed tensors of a checkpoint, or null; `form` is null if the tensors themselves state it, as in GGUF. */
export function describePacking(
  form: string | null,
  tensors: Iterable<Pick<TensorLocation, 'shape' | 'expression'>>,
): Packing | null {
  const numbersOf = new Map<string, number>()
  let bytes = 0
  for (const { shape, expression } of tensors) {
    if (expression === undefined) continue
    const kind = form ?? ggmlTypeOf(expression) ?? 'other'
    const numbers = shape.reduce((product, size) => product * size, 1)
    numbersOf.set(kind, (numbersOf.get(kind) ?? 0) + numbers)
    bytes += countPackedBytes(expression)
  }
  if (numbersOf.size === 0) return null
  const kinds = [...numbersOf].sort(([, a], [, b]) => b - a).map(([kind]) => kind)
  const numbers = [...numbersOf.values()].reduce((sum, count) => sum + count, 0)
  return { form: formatList(kinds), bits: (8 * bytes) / numbers }
}

function ggmlTypeOf(expression: WeightExpression): string | undefined {
  if (expression.kind === 'ggml-blocks') return expression.type
  const inner = 'of' in expression ? expression.of : 'left' in expression ? expression.left : undefined
  return inner && ggmlTypeOf(inner)
}

import type { WeightExpression } from '../../files/checkpoint/weight-expression.js'

/** Measured on 45M weights: decoded codes, scaled values, intermediates. */
const COPIES: Partial<Record<WeightExpression['kind'], number>> = {
  'row-words': 3,
  lookup: 3,
  'ggml-blocks': 4,
}

/** Peak number of float32 copies while a packed weight is decoded, the result included. */
export function countDecodingCopies(expression: WeightExpression): number {
  switch (expression.kind) {
    case 'combined':
      return Math.max(2, countDecodingCopies(expression.left) + countGathered(expression.right))
    case 'integers':
      return expression.bits === 4 || expression.bits === 8 ? 2 : 3
    case 'transposed':
    case 'reshaped':
    case 'rows':
    case 'gathered':
      return Math.max(2, countDecodingCopies(expression.of))
    default:
      return COPIES[expression.kind] ?? 1
  }
}

/** Scales broadcast to all numbers take the same memory; a product and the sum exist at the same time. */
function countGathered(right: WeightExpression): number {
  if (right.kind === 'transposed') return 2 * countGathered(right.of)
  if (right.kind === 'product') return 2
  return right.kind === 'gathered' ? 1 : 0
}

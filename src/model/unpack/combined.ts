import type { CombinedExpression } from '../../files/checkpoint/weight-expression.js'
import type { ExpressionWriter } from './expression-writer.js'

/** How the right operand is broadcast along an axis: per number, to all, or per block. */
type Spread = 'each' | 'all' | 'blocks'

/** Combines values with per-block values, broadcasting rather than repeating them where possible. */
export function writeCombined(
  writer: ExpressionWriter,
  expression: CombinedExpression,
  ids: string | undefined,
): string {
  const { operation, left, right, shape, block } = expression
  const numbers = writer.expression(left, ids)
  const isLookedUp = ids !== undefined && right.shape[0] !== 1
  let grid = writer.expression(right, isLookedUp ? blockIds(writer, ids, block[0]!) : undefined)
  const spreads = shape.map((size, axis): Spread => {
    if (right.shape[axis] === 1) return 'all'
    if (block[axis] === 1 || (axis === 0 && ids !== undefined)) return 'each'
    return size % block[axis]! === 0 ? 'blocks' : 'each'
  })
  for (const [axis, size] of shape.entries()) {
    const isUneven = spreads[axis] === 'each' && right.shape[axis] !== size
    if (isUneven && !(axis === 0 && ids !== undefined)) {
      grid = writeSpread(writer, grid, { axis, size, block: block[axis]! })
    }
  }
  if (!spreads.includes('blocks')) return writer.op(operation, [numbers, grid])
  const first = (size: number, axis: number) => (axis === 0 && ids !== undefined ? -1 : size)
  const split = shape.flatMap((size, axis) =>
    spreads[axis] === 'blocks' ? [size / block[axis]!, block[axis]!] : [first(size, axis)],
  )
  const spread = shape.flatMap((size, axis) => {
    if (spreads[axis] === 'blocks') return [size / block[axis]!, 1]
    return [spreads[axis] === 'all' ? 1 : first(size, axis)]
  })
  const combined = writer.op(operation, [
    writer.op('Reshape', [numbers, writer.integers(split)]),
    writer.op('Reshape', [grid, writer.integers(spread)]),
  ])
  return writer.op('Reshape', [combined, writer.shape(shape, ids)])
}

/** The block index of each row. */
function blockIds(writer: ExpressionWriter, ids: string, block: number): string {
  return block === 1 ? ids : writer.op('Div', [ids, writer.integers([block])])
}

/** Repeats each number over its block along one axis whose last block is smaller. */
function writeSpread(
  writer: ExpressionWriter,
  grid: string,
  { axis, size, block }: { axis: number; size: number; block: number },
): string {
  const places = Array.from({ length: size }, (_, place) => Math.floor(place / block))
  return writer.op('Gather', [grid, writer.integers(places)], { axis })
}

import type { StoredPart, WeightExpression } from '../../files/checkpoint/weight-expression.js'

/**
 * Rows [start, end) of an expression, counted over all axes but the last. Only these are read if they are stored
 * contiguously; otherwise the whole tensor is computed first.
 * @returns an expression of the shape [end - start, width], or [end - start] of a list
 */
export function takeRows(expression: WeightExpression, start: number, end: number): WeightExpression {
  if (expression.shape.length === 1) return takeNumbers(expression, start, end)
  const shape: [number, number] = [end - start, expression.shape.at(-1)!]
  return take(expression, start, end, shape) ?? { kind: 'rows', shape, of: expression, start, end }
}

/** In a list, each number is a row. */
function takeNumbers(expression: WeightExpression, start: number, end: number): WeightExpression {
  const part = expression.kind === 'stored' && cutPart(expression.part, expression.shape[0]!, start, end)
  if (!part) throw new Error(`no part of a list of kind ${expression.kind} can be taken`)
  return { kind: 'stored', shape: [end - start], part }
}

function take(
  expression: WeightExpression,
  start: number,
  end: number,
  shape: [number, number],
): WeightExpression | undefined {
  const rows = countRows(expression.shape)
  switch (expression.kind) {
    case 'constant':
      return { ...expression, shape }
    case 'stored':
    case 'integers':
    case 'lookup':
    case 'ggml-blocks': {
      const part = cutPart(expression.part, rows, start, end)
      return part && { ...expression, shape, part }
    }
    case 'combined':
      return takeCombined(expression, start, end, shape)
    case 'product':
      return { ...expression, shape, left: takeRows(expression.left, start, end) }
    case 'transposed':
      return takeTransposed(expression, start, end, shape)
    default:
      return undefined
  }
}

function countRows(shape: number[]): number {
  return shape.slice(0, -1).reduce((product, size) => product * size, 1)
}

function cutPart(part: StoredPart, rows: number, start: number, end: number): StoredPart | undefined {
  const rowBytes = part.sizeBytes / rows
  if (!Number.isInteger(rowBytes)) return undefined
  const sizeBytes = (end - start) * rowBytes
  return { ...part, offsetBytes: part.offsetBytes + start * rowBytes, sizeBytes }
}

/** The blocks of stacked matrices are contiguous like their rows, unless a block reaches into the next matrix. */
function takeCombined(
  expression: Extract<WeightExpression, { kind: 'combined' }>,
  start: number,
  end: number,
  shape: [number, number],
): WeightExpression | undefined {
  const { left, right, block } = expression
  const [height, width] = block.slice(-2) as [number, number]
  const takeBlocks = (first: number, last: number, rows: number): WeightExpression => ({
    ...expression,
    shape,
    left: takeRows(left, start, end),
    right: takeRows(right, first, last),
    block: [rows, width],
  })
  if (countRows(right.shape) === 1) return takeBlocks(0, 1, end - start)
  const inMatrix = expression.shape.at(-2)!
  const reachesOn = inMatrix % height !== 0 && inMatrix < countRows(expression.shape)
  if (block.slice(0, -2).some((size) => size !== 1) || reachesOn) return undefined
  const first = Math.floor(start / height)
  const last = Math.ceil(end / height)
  if (last === first + 1) return takeBlocks(first, last, end - start)
  return start % height === 0 ? takeBlocks(first, last, height) : undefined
}

/** Takes whole matrices of a stack of transposed ones. */
function takeTransposed(
  { of, shape: whole }: Extract<WeightExpression, { kind: 'transposed' }>,
  start: number,
  end: number,
  shape: [number, number],
): WeightExpression | undefined {
  const [height, width] = whole.slice(-2) as [number, number]
  if (start % height !== 0 || end - start !== height) return undefined
  const first = (start / height) * width
  return { kind: 'transposed', shape, of: takeRows(of, first, first + width) }
}

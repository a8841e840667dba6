import { quoteName, type TensorLocation } from '../safetensors-header.js'
import type { WeightExpression } from '../weight-expression.js'
import { damaged } from './raw-tensors.js'

/** 2 to the power of each code minus 127; the last code is NaN. */
const POWERS = Array.from({ length: 256 }, (_, code) => (code === 255 ? Number.NaN : 2 ** (code - 127)))

/** A tensor of plain numbers, seen in another shape of as many. */
export function stored(part: TensorLocation, shape: number[] = part.shape): WeightExpression {
  return { kind: 'stored', shape, part }
}

/** Scales as numbers, or as powers of two of which only the exponents are stored. */
export function readScales(part: TensorLocation, shape: number[] = part.shape): WeightExpression {
  if (part.dtype !== 'F8_E8M0' && part.dtype !== 'U8') return stored(part, shape)
  return { kind: 'lookup', shape, part, bits: 8, isHighFirst: false, table: POWERS }
}

/**
 * Numbers times scales: one for all, one for each row, or one for each block.
 * @param block rows and columns of the blocks; omitted if the scales' own shape shows that they are of rows or of all
 * @throws LayerpruneError if there are more or fewer scales than that
 */
export function scale(
  numbers: WeightExpression,
  scales: TensorLocation,
  block?: readonly number[],
): WeightExpression {
  const { shape } = numbers
  const grid = findGrid(shape, scales, block)
  return {
    kind: 'combined',
    shape,
    operation: 'Mul',
    left: numbers,
    right: readScales(scales, grid.shape),
    block: grid.block,
  }
}

function findGrid(shape: number[], scales: TensorLocation, block: readonly number[] | undefined) {
  const count = countNumbers(scales.shape)
  const stack = shape.slice(0, -2)
  const [rows, columns] = shape.slice(-2) as [number, number]
  const candidates = [
    { shape: shape.map(() => 1), block: shape },
    { shape: [...stack, 1, 1], block: [...stack.map(() => 1), rows, columns] },
    { shape: [...stack, rows, 1], block: [...stack.map(() => 1), 1, columns] },
  ]
  if (block !== undefined) {
    const [height, width] = block as [number, number]
    const blocks = [...stack, Math.ceil(rows / height), Math.ceil(columns / width)]
    candidates.unshift({ shape: blocks, block: [...stack.map(() => 1), height, width] })
  }
  const fits = candidates.find((candidate) => fitsScales(candidate.shape, scales.shape))
  if (fits !== undefined) return fits
  const expected = `${countNumbers(candidates[0]!.shape)} for the shape [${shape.join(', ')}]`
  throw damaged(
    `tensor ${quoteName(scales.name)} has the shape [${scales.shape.join(', ')}], ${count} scales, expected ${expected}`,
  )
}

/** Whether scales have the shape, apart from axes of size 1. */
function fitsScales(shape: number[], found: number[]): boolean {
  const long = (sizes: number[]) => `${sizes.filter((size) => size !== 1)}`
  return long(shape) === long(found)
}

export function countNumbers(shape: number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

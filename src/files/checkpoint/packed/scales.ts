import { quoteName, type TensorLocation } from '../safetensors-header.js'
import type { CombinedExpression, WeightExpression } from '../weight-expression.js'
import { damaged } from './raw-tensors.js'

/** 2 to the power of each code minus 127; the last code is NaN. */
const POWERS = Array.from({ length: 256 }, (_, code) => (code === 255 ? Number.NaN : 2 ** (code - 127)))

const FP4_MAGNITUDES = [0, 0.5, 1, 1.5, 2, 3, 4, 6]

/** The values of 4-bit floats of two bits of exponent and one of fraction, by their codes. */
const FP4_VALUES = [...FP4_MAGNITUDES, ...FP4_MAGNITUDES.map((value) => -value)]

/** A tensor of plain numbers, optionally reshaped. */
export function stored(part: TensorLocation, shape: number[] = part.shape): WeightExpression {
  return { kind: 'stored', shape, part }
}

/** 4-bit floats, two in a byte, the first in its low bits. */
export function readFp4(part: TensorLocation, shape: number[]): WeightExpression {
  return { kind: 'lookup', shape, part, bits: 4, isHighFirst: false, table: FP4_VALUES }
}

/** Scales as numbers, or as powers of two of which only the exponents are stored. */
export function readScales(part: TensorLocation, shape: number[] = part.shape): WeightExpression {
  if (part.dtype !== 'F8_E8M0' && part.dtype !== 'U8') return stored(part, shape)
  return { kind: 'lookup', shape, part, bits: 8, isHighFirst: false, table: POWERS }
}

type Operation = CombinedExpression['operation']

/** Numbers combined with others, of which there is one for each block of the shape `block`. */
export function combineBlocks(
  operation: Operation,
  left: WeightExpression,
  right: WeightExpression,
  block: number[],
): WeightExpression {
  return { kind: 'combined', shape: left.shape, operation, left, right, block }
}

/** One number combined with all those of an expression. */
export function combineWith(operation: Operation, left: WeightExpression, value: number): WeightExpression {
  const { shape } = left
  return combineBlocks(operation, left, { kind: 'constant', shape: shape.map(() => 1), value }, shape)
}

/** Numbers combined with one for each group of neighbors in a row: `right` has as many rows. */
export function combineGroups(
  operation: Operation,
  left: WeightExpression,
  right: WeightExpression,
  group: number,
): WeightExpression {
  return combineBlocks(operation, left, right, [...left.shape.slice(0, -1).map(() => 1), group])
}

/**
 * Numbers times scales: one for all, one for each row, or one for each block.
 * @param block rows and columns of the blocks; omitted if the scales' own shape shows that they are of rows or of all
 * @throws LayerpruneError if there are more or fewer scales than that
 */
export function scale(numbers: WeightExpression, scales: TensorLocation, block?: readonly number[]): WeightExpression {
  const grid = findGrid(numbers.shape, scales, block)
  return combineBlocks('Mul', numbers, readScales(scales, grid.shape), grid.block)
}

/** Numbers minus zero points, which are laid out as scales are. */
export function subtractZeros(
  numbers: WeightExpression,
  zeros: TensorLocation,
  block?: readonly number[],
): WeightExpression {
  const grid = findGrid(numbers.shape, zeros, block)
  return combineBlocks('Sub', numbers, stored(zeros, grid.shape), grid.block)
}

/**
 * Inputs that share a scale, of a matrix stored as [inputs, outputs].
 * @param scales [groups, outputs]
 * @throws LayerpruneError if the groups are not all of one size
 */
export function findGroupSize({ name, shape }: TensorLocation, inputs: number): number {
  const groups = shape[0]!
  if (inputs % groups === 0) return inputs / groups
  throw damaged(`tensor ${quoteName(name)} has ${groups} groups, which do not divide ${inputs} inputs`)
}

function findGrid(shape: number[], scales: TensorLocation, block: readonly number[] | undefined) {
  const stack = shape.slice(0, -2)
  const [rows, columns] = shape.slice(-2) as [number, number]
  const each = stack.map(() => 1)
  const candidates = [
    { shape: shape.map(() => 1), block: shape },
    { shape: [...stack, 1, 1], block: [...each, rows, columns] },
    { shape: [...stack, rows, 1], block: [...each, 1, columns] },
  ]
  if (block !== undefined) {
    const [height, width] = block as [number, number]
    const blocks = [...stack, Math.ceil(rows / height), Math.ceil(columns / width)]
    candidates.unshift({ shape: blocks, block: [...each, height, width] })
  }
  const fits = candidates.find((candidate) => fitsScales(candidate.shape, scales.shape))
  if (fits !== undefined) return fits
  const size = block === undefined ? 'for rows or for all' : `for blocks of ${block.join(' x ')}`
  throw damaged(
    `tensor ${quoteName(scales.name)} has the shape [${scales.shape.join(', ')}], expected scales ${size} of [${shape.join(', ')}]`,
  )
}

/** Whether scales have the shape, apart from axes of size 1. */
function fitsScales(shape: number[], found: number[]): boolean {
  const long = (sizes: number[]) => `${sizes.filter((size) => size !== 1)}`
  return long(shape) === long(found)
}

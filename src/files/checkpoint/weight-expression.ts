import { GGML_BLOCKS, type GgmlBlockType } from './ggml-types.js'
import type { SafetensorsDtype } from './safetensors-dtype.js'

/** Numbers or codes that lie one after the other in a file. */
export interface StoredPart {
  name: string
  dtype: SafetensorsDtype
  shape: number[]
  /** Real path, symlinks resolved. */
  file: string
  /** From the start of the file. */
  offsetBytes: number
  sizeBytes: number
}

/** Plain numbers, converted to float32. */
export interface StoredExpression {
  kind: 'stored'
  shape: number[]
  part: StoredPart
}

/** One number for all. */
export interface ConstantExpression {
  kind: 'constant'
  shape: number[]
  value: number
}

/** Unsigned integers of a few bits, the lowest bits of the lowest byte first, row after row. */
export interface IntegersExpression {
  kind: 'integers'
  shape: number[]
  part: StoredPart
  bits: 2 | 3 | 4 | 5 | 6 | 8
  /** For every 8 columns, the index of each in the 8 stored integers; omitted if they are in order. */
  order?: number[]
}

/** Unsigned integers of which 32-bit words hold consecutive rows, the first in the lowest bits. */
export interface RowWordsExpression {
  kind: 'row-words'
  /** [rows, columns] */
  shape: [number, number]
  part: StoredPart
  bits: 2 | 4 | 8
}

/** Indices into a table of values, row after row. */
export interface LookupExpression {
  kind: 'lookup'
  shape: number[]
  part: StoredPart
  bits: 4 | 8
  /** Whether the first of two codes is in the high bits of its byte. */
  isHighFirst: boolean
  /** A value for each code. */
  table: number[] | StoredPart
}

/** Blocks of numbers as llama.cpp packs them, row after row. */
export interface GgmlBlocksExpression {
  kind: 'ggml-blocks'
  shape: number[]
  part: StoredPart
  type: GgmlBlockType
}

/** Two expressions combined number by number. */
export interface CombinedExpression {
  kind: 'combined'
  shape: number[]
  operation: 'Add' | 'Sub' | 'Mul' | 'Div'
  left: WeightExpression
  /** It has a number for each block of `left`; the last block of an axis may be smaller. */
  right: WeightExpression
  /** Size of the blocks along each axis. */
  block: number[]
}

export interface ProductExpression {
  kind: 'product'
  /** [rows, columns] */
  shape: [number, number]
  /** [rows, rank] */
  left: WeightExpression
  /** [rank, columns] */
  right: WeightExpression
}

/** Rows of another expression by their numbers. */
export interface GatheredExpression {
  kind: 'gathered'
  shape: number[]
  of: WeightExpression
  /** I32 [rows] */
  index: StoredPart
}

/** The last two axes swapped. */
export interface TransposedExpression {
  kind: 'transposed'
  shape: number[]
  of: WeightExpression
}

export interface ReshapedExpression {
  kind: 'reshaped'
  shape: number[]
  of: WeightExpression
}

/** Rows [start, end), counted over all axes but the last. */
export interface RowsExpression {
  kind: 'rows'
  /** [end - start, width] */
  shape: [number, number]
  of: WeightExpression
  start: number
  end: number
}

/** How a weight is computed from what files hold, as plain data: `src/model/unpack` defines each form as nodes. */
export type WeightExpression =
  | StoredExpression
  | ConstantExpression
  | IntegersExpression
  | RowWordsExpression
  | LookupExpression
  | GgmlBlocksExpression
  | CombinedExpression
  | ProductExpression
  | GatheredExpression
  | TransposedExpression
  | ReshapedExpression
  | RowsExpression

/** A part of a file as an expression reads it. */
export interface PartRead {
  part: StoredPart
  /** Whether its numbers are used as they are, not as codes. */
  isFloat: boolean
  /** The value of each 8-bit code, if the table is known. */
  table?: readonly number[]
  /** Places of the float16 numbers in each block, if it has such blocks. */
  halves?: { blockBytes: number; places: readonly number[] }
}

export function listParts(expression: WeightExpression): PartRead[] {
  switch (expression.kind) {
    case 'constant':
      return []
    case 'stored':
      return [{ part: expression.part, isFloat: true }]
    case 'integers':
    case 'row-words':
      return [{ part: expression.part, isFloat: false }]
    case 'lookup': {
      const { part, bits, table } = expression
      if (!Array.isArray(table))
        return [
          { part, isFloat: false },
          { part: table, isFloat: true },
        ]
      return [{ part, isFloat: false, ...(bits === 8 && { table }) }]
    }
    case 'ggml-blocks': {
      const { bytes: blockBytes, halves: places } = GGML_BLOCKS[expression.type]
      return [{ part: expression.part, isFloat: false, halves: { blockBytes, places } }]
    }
    case 'combined':
    case 'product':
      return [...listParts(expression.left), ...listParts(expression.right)]
    case 'gathered':
      return [...listParts(expression.of), { part: expression.index, isFloat: false }]
    case 'transposed':
    case 'reshaped':
    case 'rows':
      return listParts(expression.of)
  }
}

export function countPackedBytes(expression: WeightExpression): number {
  return listParts(expression).reduce((sum, { part }) => sum + part.sizeBytes, 0)
}

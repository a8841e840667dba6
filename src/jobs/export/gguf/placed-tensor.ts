import type { TensorLocation } from '../../../files/checkpoint/safetensors.js'

/** Rows of a tensor of the checkpoint, counted over all axes but the last. */
export interface Piece {
  source: TensorLocation
  start: number
  /** exclusive */
  end: number
  /** The rows are turned into columns before their order changes. */
  turned?: true
  /** Which of these rows are taken, in their new order; all in their own if omitted. */
  order?: number[]
}

/** A tensor of the file to write, and the rows that it is made of. */
export interface PlacedTensor {
  name: string
  shape: number[]
  pieces: Piece[]
  /** Added to every number. */
  offset: number
}

/** Size of the last axis. */
export function widthOf({ shape }: { shape: number[] }): number {
  return shape.at(-1) ?? 1
}

/** Product of all axes but the last. */
export function rowsOf({ shape }: { shape: number[] }): number {
  return shape.slice(0, -1).reduce((product, size) => product * size, 1)
}

export function wholePiece(source: TensorLocation): Piece {
  return { source, start: 0, end: rowsOf(source) }
}

import type { DecoderPieces } from '../../engine/sessions/decoder-pieces.js'
import type { Block } from '../../model/layers/block.js'

/** Tokens per second through some pieces, by the mean time that each took so far; null if one of them did not run. */
export function countTokensPerSecond(pieces: DecoderPieces, path: number[]): number | null {
  const seconds = path.map((piece) => pieces.secondsPerToken(piece))
  return seconds.some((value) => value === null) ? null : 1 / seconds.reduce((a, b) => a! + b!, 0)!
}

/** States at which pieces begin and end, so that any of the blocks can be omitted. */
export function findBoundaries(layers: number, blocks: Block[] | undefined): number[] {
  if (blocks === undefined) return Array.from({ length: layers + 1 }, (_, state) => state)
  const states = new Set([0, layers, ...blocks.flatMap(({ start, end }) => [start, end])])
  return [...states].sort((a, b) => a - b)
}

/** Kept pieces, ascending. */
export function keptPieces(boundaries: number[], removed: Block[]): number[] {
  return boundaries
    .slice(0, -1)
    .map((_, piece) => piece)
    .filter((piece) => !removed.some(({ start, end }) => start <= boundaries[piece]! && boundaries[piece]! < end))
}

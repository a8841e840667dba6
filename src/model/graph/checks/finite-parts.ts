import { float8Values, isFloat8 } from '../../../files/checkpoint/float8.js'
import type { PartRead } from '../../../files/checkpoint/weight-expression.js'
import { decodeFloats } from '../../../files/weights/decode-floats.js'
import { findNonFinite } from '../../../files/weights/find-non-finite.js'
import type { WeightReader } from '../weight-reader.js'

interface Found {
  index: number
  value: number
}

/** Finds the first number of a piece that is not finite, for numbers of a given size. */
interface Search {
  bytesOfNumber: number
  /** @param before number of bytes before the piece */
  find(piece: Uint8Array<ArrayBuffer>, before: number): Found | null
}

/**
 * Finds the first number of a part that is not finite, or the first code that decodes to such a number.
 * @returns its index in the part; null if there is none
 */
export async function findNonFiniteNumber(read: PartRead, reader: WeightReader): Promise<Found | null> {
  const search = chooseSearch(read)
  if (search === null) return null
  const { file, offsetBytes, sizeBytes } = read.part
  let before = 0
  for await (const piece of reader.read({ path: file, offsetBytes, sizeBytes })) {
    const found = search.find(piece, before)
    if (found !== null) return { ...found, index: before / search.bytesOfNumber + found.index }
    before += piece.length
  }
  return null
}

/** @returns null if every bit pattern is finite */
function chooseSearch({ part: { dtype }, isFloat, table, halves }: PartRead): Search | null {
  if (halves !== undefined) return halves.places.length === 0 ? null : searchHalves(halves)
  if (table !== undefined) return searchCodes(table)
  if (!isFloat) return null
  if (isFloat8(dtype)) return searchCodes(float8Values(dtype))
  switch (dtype) {
    case 'F32':
      return { bytesOfNumber: 4, find: (piece) => findNonFinite(piece, dtype) }
    case 'F16':
    case 'BF16':
      return { bytesOfNumber: 2, find: (piece) => findNonFinite(piece, dtype) }
    case 'F64':
      return { bytesOfNumber: 8, find: findInDoubles }
    default:
      return null
  }
}

/** Blocks that hold float16 numbers have an even number of bytes, so no number is split between two pieces. */
function searchHalves({ blockBytes, places }: NonNullable<PartRead['halves']>): Search {
  const find = (piece: Uint8Array, before: number): Found | null => {
    for (const place of places) {
      const first = (place - (before % blockBytes) + blockBytes) % blockBytes
      for (let at = first; at + 1 < piece.length; at += blockBytes) {
        // all exponent bits set
        if ((piece[at + 1]! & 0x7c) !== 0x7c) continue
        const [value] = decodeFloats(piece.slice(at, at + 2), 'F16')
        return { index: at, value: value! }
      }
    }
    return null
  }
  return { bytesOfNumber: 1, find }
}

function searchCodes(table: readonly number[]): Search | null {
  const isBad: boolean[] = table.map((value) => !Number.isFinite(value))
  if (!isBad.includes(true)) return null
  const find = (piece: Uint8Array) => {
    const index = piece.findIndex((code) => isBad[code] === true)
    return index === -1 ? null : { index, value: table[piece[index]!]! }
  }
  return { bytesOfNumber: 1, find }
}

/** Rounds to float32. */
function findInDoubles(piece: Uint8Array<ArrayBuffer>): Found | null {
  const values = new Float64Array(piece.buffer, piece.byteOffset, piece.byteLength / 8)
  const index = values.findIndex((value) => !Number.isFinite(Math.fround(value)))
  return index === -1 ? null : { index, value: values[index]! }
}

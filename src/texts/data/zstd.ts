import { Decompress } from 'fzstd'
import { LayerpruneError } from '../../base/errors.js'

/** Packed bytes given to the decoder at once: all that they unpack to is held in memory, however much it is. */
const STEP_BYTES = 1 << 10
/** As much as the zstd program accepts without --memory or --long: the window is held in memory. */
const MAX_WINDOW_BYTES = 1 << 27
/** Magic number, descriptor, window, dictionary and content size. */
const MAX_HEADER_BYTES = 18
const MAGIC = 0xfd2fb528

/**
 * Unpacks a Zstandard stream of one or several frames (RFC 8878).
 * @throws LayerpruneError, with the file, if it is cut short, not Zstandard, or needs too much memory
 */
export async function* unzstd(chunks: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  let unpacked: Uint8Array[] = []
  let head = new Uint8Array(0)
  const decoder = new Decompress((chunk) => {
    if (chunk.length > 0) unpacked.push(chunk)
  })
  let packedBytes = 0
  const push = (bytes: Uint8Array, isLast: boolean): Uint8Array[] => {
    unpacked = []
    try {
      if (head.length < MAX_HEADER_BYTES) {
        head = new Uint8Array(Buffer.concat([head, bytes])).subarray(0, MAX_HEADER_BYTES)
        assertWindow(head)
      }
      decoder.push(bytes, isLast)
    } catch (cause) {
      throw explain(cause as Error, name, isLast ? packedBytes : undefined)
    }
    return unpacked
  }
  for await (const chunk of chunks) {
    for (let start = 0; start < chunk.length; start += STEP_BYTES) {
      const step = chunk.subarray(start, start + STEP_BYTES)
      packedBytes += step.length
      yield* push(step, false)
    }
  }
  yield* push(new Uint8Array(0), true)
}

/** Unpacks Zstandard data of a size; throws Error if it has another, is damaged, or needs too much memory. */
export function unzstdWhole(packed: Uint8Array, sizeBytes: number): Uint8Array {
  assertWindow(packed)
  const unpacked = new Uint8Array(sizeBytes)
  let filled = 0
  const decoder = new Decompress((chunk) => {
    if (filled + chunk.length > sizeBytes) throw new Error(`more than ${sizeBytes} bytes`)
    unpacked.set(chunk, filled)
    filled += chunk.length
  })
  decoder.push(packed, false)
  decoder.push(new Uint8Array(0), true)
  return unpacked.subarray(0, filled)
}

class WindowError extends Error {}

/** @param frame  its start, at least the header or all of it */
function assertWindow(frame: Uint8Array): void {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)
  if (bytes.length < MAX_HEADER_BYTES || bytes.readUInt32LE() !== MAGIC) return
  const windowBytes = readWindowBytes(bytes)
  if (windowBytes > MAX_WINDOW_BYTES) {
    throw new WindowError(`a window of ${windowBytes} bytes, expected at most ${MAX_WINDOW_BYTES}`)
  }
}

/** RFC 8878, section 3.1.1.1. */
function readWindowBytes(frame: Buffer): number {
  const descriptor = frame[4]!
  const isSingleSegment = (descriptor & 0x20) !== 0
  if (!isSingleSegment) {
    const base = 2 ** (10 + (frame[5]! >> 3))
    return base + (base / 8) * (frame[5]! & 7)
  }
  // all of it is held, and its size follows the dictionary
  const start = 5 + [0, 1, 2, 4][descriptor & 3]!
  switch (descriptor >> 6) {
    case 0:
      return frame[start]!
    case 1:
      return frame.readUInt16LE(start) + 256
    case 2:
      return frame.readUInt32LE(start)
    default:
      return Number(frame.readBigUInt64LE(start))
  }
}

/** @param endBytes  number of packed bytes, if all have been read */
function explain(cause: Error, name: string, endBytes: number | undefined): LayerpruneError {
  if (cause instanceof WindowError || cause instanceof RangeError) {
    const what = cause instanceof WindowError ? cause.message : 'a larger window than is supported'
    return new LayerpruneError(`${name}: the zstd data needs ${what}`, {
      hint: 'compress the file again without --ultra and --long',
      cause,
    })
  }
  const what =
    endBytes === undefined
      ? `not valid zstd data: ${cause.message}`
      : `cut short: the zstd data ends after ${endBytes} bytes`
  return new LayerpruneError(`${name}: ${what}`, { cause })
}

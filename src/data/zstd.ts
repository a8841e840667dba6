import { Decompress } from 'fzstd'
import { LayerpruneError } from '../errors.js'

/** Packed bytes given to the decoder at once: what they unpack to is held in memory, however small they are. */
const STEP_BYTES = 1 << 10

/**
 * Unpacks a Zstandard stream of one or several frames (RFC 8878).
 * @throws LayerpruneError, with the file, where it is cut short or not Zstandard
 */
export async function* unzstd(chunks: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  let unpacked: Uint8Array[] = []
  const decoder = new Decompress((chunk) => {
    if (chunk.length > 0) unpacked.push(chunk)
  })
  let packedBytes = 0
  const push = (bytes: Uint8Array, isLast: boolean): Uint8Array[] => {
    unpacked = []
    try {
      decoder.push(bytes, isLast)
    } catch (cause) {
      const { message } = cause as Error
      const what = isLast
        ? `cut short: the zstd data ends after ${packedBytes} bytes`
        : `not valid zstd data: ${message}`
      throw new LayerpruneError(`${name}: ${what}`, { cause })
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

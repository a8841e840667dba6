import type { FileHandle } from 'node:fs/promises'
import { LayerpruneError } from '../errors.js'

/** The system reads at most 2 GiB at once. */
const MAX_READ_BYTES = 1 << 30

/**
 * Fills an array with the bytes of a file from an offset on.
 * @param path of the file, for messages
 * @throws LayerpruneError if the file ends before, or cannot be read
 */
export async function readFully(
  handle: FileHandle,
  path: string,
  bytes: Uint8Array,
  offsetBytes: number,
): Promise<void> {
  for (let filled = 0; filled < bytes.length; ) {
    const length = Math.min(bytes.length - filled, MAX_READ_BYTES)
    const { bytesRead } = await handle.read(bytes, filled, length, offsetBytes + filled).catch((cause) => {
      throw new LayerpruneError(`cannot read ${path}: ${(cause as Error).message}`, { cause })
    })
    if (bytesRead === 0) {
      throw new LayerpruneError(
        `${path} is truncated: expected at least ${offsetBytes + bytes.length} bytes, found ${offsetBytes + filled}`,
        { hint: 'download it again' },
      )
    }
    filled += bytesRead
  }
}

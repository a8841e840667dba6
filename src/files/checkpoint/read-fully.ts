import type { FileHandle } from 'node:fs/promises'
import { LayerpruneError } from '../../base/errors.js'
import { readExactly } from '../read-exactly.js'

/**
 * Fills an array with the bytes of a file from an offset on.
 * @param path of the file, for messages
 * @throws LayerpruneError if the file ends too early or cannot be read
 */
export async function readFully(
  handle: FileHandle,
  path: string,
  bytes: Uint8Array,
  offsetBytes: number,
): Promise<void> {
  const explainEnd = (endBytes: number) =>
    new LayerpruneError(
      `${path} is truncated: expected at least ${offsetBytes + bytes.length} bytes, found ${endBytes}`,
      { hint: 'download it again' },
    )
  await readExactly(handle, bytes, offsetBytes, explainEnd).catch((cause: Error) => {
    if (cause instanceof LayerpruneError) throw cause
    throw new LayerpruneError(`cannot read ${path}: ${cause.message}`, { cause })
  })
}

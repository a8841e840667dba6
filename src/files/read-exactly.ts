import type { FileHandle } from 'node:fs/promises'

/** fs reads at most 2 GiB per call. */
const MAX_READ_BYTES = 1 << 30

/**
 * Fills a buffer with the bytes of an open file.
 * @param position  of the first byte, in the file
 * @param explainEnd  the error to throw if the file ends at a position before the buffer is full
 */
export async function readExactly(
  handle: FileHandle,
  buffer: Uint8Array,
  position: number,
  explainEnd: (endBytes: number) => Error,
): Promise<void> {
  for (let filled = 0; filled < buffer.byteLength; ) {
    const lengthBytes = Math.min(buffer.byteLength - filled, MAX_READ_BYTES)
    const { bytesRead } = await handle.read(buffer, filled, lengthBytes, position + filled)
    if (bytesRead === 0) throw explainEnd(position + filled)
    filled += bytesRead
  }
}

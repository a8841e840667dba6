import { type FileHandle, open } from 'node:fs/promises'
import { LayerpruneError } from '../../base/errors.js'
import type { DataSource } from '../../files/byte-source.js'
import { readExactly } from '../../files/read-exactly.js'

const CHUNK_BYTES = 1 << 18

/** @throws LayerpruneError if the file cannot be opened or is shorter than what is requested of it */
export function openLocalSource(path: string, name: string): DataSource {
  return {
    name,
    async *readBytes() {
      const handle = await openFile(path, name)
      try {
        while (true) {
          const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
          const { bytesRead } = await handle.read(chunk, 0, CHUNK_BYTES, null)
          if (bytesRead === 0) return
          yield chunk.subarray(0, bytesRead)
        }
      } finally {
        await handle.close()
      }
    },
    async openRandomAccess() {
      const handle = await openFile(path, name)
      const { size } = await handle.stat()
      return {
        byteLength: size,
        slice: (start, end = size) => readRange(handle, name, size, start, end),
        close: () => handle.close(),
      }
    },
  }
}

async function openFile(path: string, name: string): Promise<FileHandle> {
  try {
    return await open(path, 'r')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new LayerpruneError(`cannot open dataset file ${name}: ${code}`, { cause })
  }
}

async function readRange(handle: FileHandle, name: string, size: number, start: number, end: number) {
  if (start < 0 || end < start || end > size) {
    throw new LayerpruneError(
      `${name}: cut short or corrupt: expected bytes ${start} to ${end}, found a file of ${size} bytes`,
    )
  }
  const bytes = new Uint8Array(end - start)
  await readExactly(
    handle,
    bytes,
    start,
    (endBytes) => new LayerpruneError(`${name}: changed while it was read: expected ${size} bytes, found ${endBytes}`),
  )
  return bytes.buffer
}

import { type FileHandle, open } from 'node:fs/promises'
import { LayerpruneError } from '../../base/errors.js'
import { readExactly } from '../read-exactly.js'

/** @throws LayerpruneError if the file ends too early or cannot be read */
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

/** @throws LayerpruneError if the file ends too early or cannot be read */
export async function readPart({
  file,
  offsetBytes,
  sizeBytes,
}: {
  file: string
  offsetBytes: number
  sizeBytes: number
}): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(sizeBytes)
  const handle = await open(file).catch((cause: Error) => {
    throw new LayerpruneError(`cannot read ${file}: ${cause.message}`, { cause })
  })
  try {
    await readFully(handle, file, bytes, offsetBytes)
    return bytes
  } finally {
    await handle.close()
  }
}

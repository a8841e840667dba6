import { type FileHandle, open, realpath } from 'node:fs/promises'
import { LayerpruneError } from '../../base/errors.js'
import { assertRegularFile } from '../../base/regular-file.js'

/**
 * Opens a file of a model for as long as it is used.
 * @param use  gets the real path too, symlinks resolved
 * @throws LayerpruneError if it cannot be opened; what `use` throws
 */
export async function withModelFile<T>(
  path: string,
  use: (handle: FileHandle, file: string) => Promise<T>,
): Promise<T> {
  const failed = (cause: Error) => {
    throw unreadable(path, cause)
  }
  const file = await realpath(path).catch(failed)
  await assertRegularFile(file)
  const handle = await open(file, 'r').catch(failed)
  try {
    return await use(handle, file)
  } finally {
    await handle.close()
  }
}

/** @throws LayerpruneError if the first 8 bytes of a file show that git-lfs has not replaced it */
export function assertNoPointer(start: Buffer, path: string): void {
  if (start.toString('latin1') !== 'version ') return
  throw new LayerpruneError(`${path} is a git-lfs pointer, not weights`, {
    hint: 'fetch the weights with git lfs pull',
  })
}

/** The error for a path that the file system does not let us read. */
export function unreadable(path: string, cause: Error & { code?: string }): LayerpruneError {
  const reason = cause.code === 'ENOENT' ? 'no such file' : (cause.code ?? cause.message)
  return new LayerpruneError(`cannot read ${path}: ${reason}`, { cause })
}

import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LayerpruneError } from '../../base/errors.js'

/**
 * A file without a name, which the system removes when the process ends, however that happens.
 * @param what  is kept in it, for messages
 * @throws LayerpruneError if it cannot be made
 */
export async function openTemporary(what: string): Promise<FileHandle> {
  try {
    const folder = await mkdtemp(join(tmpdir(), 'layerprune-'))
    try {
      return await open(join(folder, 'kept'), 'w+')
    } finally {
      await rm(folder, { recursive: true })
    }
  } catch (cause) {
    throw cannotKeep(what, cause as NodeJS.ErrnoException)
  }
}

/** @param what  cannot be kept in a temporary file */
export function cannotKeep(what: string, { code, message }: NodeJS.ErrnoException): LayerpruneError {
  return new LayerpruneError(`${what} cannot be kept in a temporary file in ${tmpdir()}: ${code ?? message}`, {
    hint: 'name a folder with more room in TMPDIR',
  })
}

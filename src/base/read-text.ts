import { readFile, stat } from 'node:fs/promises'
import { LayerpruneError } from './errors.js'
import { formatCount } from './format-numbers.js'
import { assertRegularFile } from './regular-file.js'

/** Bytes of a text file unless the caller says otherwise; V8's strings end at twice as many. */
const MOST_BYTES = 1 << 28

/**
 * Reads a text file of a user or a stranger whole.
 * @param mostBytes  a larger file is an error
 * @returns undefined if there is no such file
 * @throws LayerpruneError if it is no regular file, is too large or cannot be read
 */
export async function readText(path: string, mostBytes = MOST_BYTES): Promise<string | undefined> {
  await assertRegularFile(path)
  try {
    const { size } = await stat(path)
    if (size <= mostBytes) return await readFile(path, 'utf8')
    throw new LayerpruneError(`${path}: expected at most ${formatCount(mostBytes)} bytes, found ${formatCount(size)}`)
  } catch (cause) {
    if (cause instanceof LayerpruneError) throw cause
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new LayerpruneError(`${path} cannot be read: ${message}`, { cause })
  }
}

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { writeFileAtomically } from '../write-files.js'

/**
 * SHA-256 of a file, in hex. It is kept in a file of its own for the next time, known by all that changes whenever the
 * file is written to, for gigabytes take seconds to read.
 * @param folder where digests are kept
 * @throws LayerpruneError where nothing can be written there
 */
export async function hashFile(path: string, folder: string, signal?: AbortSignal): Promise<string> {
  const { dev, ino, size, mtimeMs, ctimeMs } = await stat(path)
  const version = createHash('sha256').update(JSON.stringify([path, dev, ino, size, mtimeMs, ctimeMs]))
  const kept = join(folder, `${version.digest('hex').slice(0, 32)}.sha256`)
  const known = await readKept(kept)
  if (known !== null) return known
  const digest = await digestFile(path, signal)
  await writeFileAtomically(kept, digest)
  return digest
}

/** SHA-256 of what a file holds now, in hex. */
export async function digestFile(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash, { signal })
  return hash.digest('hex')
}

/** What a file of digests holds; null where there is none, or no digest in it. */
async function readKept(path: string): Promise<string | null> {
  const content = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  return /^[0-9a-f]{64}$/.test(content) ? content : null
}

import { createHash } from 'node:crypto'
import type { Stats } from 'node:fs'
import { open, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { LayerpruneError } from '../../base/errors.js'
import { formatSize } from '../../base/format-numbers.js'
import { countBytes, type ProgressOptions } from '../../base/progress.js'
import { assertRegularFile } from '../../base/regular-file.js'
import { ensureWritableFolder, writeFileAtomically } from '../../base/write-files.js'

export interface HashOptions extends ProgressOptions {
  /** Where digests are kept for the next time; if it cannot be written to, they are computed again. */
  folder: string
  signal?: AbortSignal | undefined
  onNote?: ((message: string) => void) | undefined
}

/** Smaller files are hashed again each time, in a few hundredths of a second. */
const KEPT_BYTES = 64 << 20

/** So much takes seconds to read. */
const NOTED_BYTES = 4e9

/** A write so soon after the last change can leave the times of a file as they are: they are coarse on some disks. */
const SETTLED_MS = 2000

const CHUNK_BYTES = 1 << 20

/**
 * SHA-256 of files, in hex, by path. Digests of large files are kept, each keyed by all that a write changes.
 * @throws LayerpruneError if a file changes meanwhile
 * @throws the file system's error if a file cannot be read
 */
export async function hashFiles(
  paths: Iterable<string>,
  { folder, signal, onNote, onProgress }: HashOptions,
): Promise<Map<string, string>> {
  const digests = new Map<string, string>()
  const unknown: { path: string; stats: Stats }[] = []
  for (const path of new Set(paths)) {
    await assertRegularFile(path)
    const stats = await stat(path)
    const known = stats.size < KEPT_BYTES ? null : await readKept(keptPath(folder, path, stats))
    if (known === null) unknown.push({ path, stats })
    else digests.set(path, known)
  }
  const bytes = unknown.reduce((sum, { stats }) => sum + stats.size, 0)
  if (bytes >= NOTED_BYTES) onNote?.(`hashing ${formatSize(bytes)} of weights, once`)
  const buffers = Array.from({ length: 2 }, () => Buffer.allocUnsafeSlow(CHUNK_BYTES)) as [Buffer, Buffer]
  let doneBytes = 0
  const onRead = (read: number) => {
    doneBytes += read
    if (bytes >= KEPT_BYTES) onProgress?.(countBytes('hashing weights', doneBytes, bytes))
  }
  for (const { path, stats } of unknown) {
    const digest = await digestFile(path, buffers, { signal, onRead })
    const after = await stat(path)
    if (describeVersion(path, after) !== describeVersion(path, stats)) {
      throw new LayerpruneError(`${path} was changed while it was read`, {
        hint: 'wait until it is complete, and run again',
      })
    }
    digests.set(path, digest)
    const isSettled = Date.now() - Math.max(after.mtimeMs, after.ctimeMs) >= SETTLED_MS
    if (after.size >= KEPT_BYTES && isSettled) await keep(folder, keptPath(folder, path, after), digest)
  }
  return digests
}

/** Hashes one chunk while reading the next; a stream would take new memory for every chunk. */
async function digestFile(
  path: string,
  [buffer, other]: [Buffer, Buffer],
  { signal, onRead }: { signal: AbortSignal | undefined; onRead: (bytes: number) => void },
): Promise<string> {
  const hash = createHash('sha256')
  const file = await open(path)
  try {
    const read = (into: Buffer) => file.read(into, 0, into.length, null)
    let chunk = await read(buffer)
    while (chunk.bytesRead > 0) {
      signal?.throwIfAborted()
      const next = read(chunk.buffer === buffer ? other : buffer)
      hash.update(chunk.buffer.subarray(0, chunk.bytesRead))
      onRead(chunk.bytesRead)
      chunk = await next
    }
    return hash.digest('hex')
  } finally {
    await file.close()
  }
}

function describeVersion(path: string, { dev, ino, size, mtimeMs, ctimeMs }: Stats): string {
  return JSON.stringify([path, dev, ino, size, mtimeMs, ctimeMs])
}

function keptPath(folder: string, path: string, stats: Stats): string {
  const version = createHash('sha256').update(describeVersion(path, stats))
  return join(folder, `${version.digest('hex').slice(0, 32)}.sha256`)
}

/** What a file of digests holds; null if there is none, or no digest in it. */
async function readKept(path: string): Promise<string | null> {
  const content = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'EACCES') return ''
    throw error
  })
  return /^[0-9a-f]{64}$/.test(content) ? content : null
}

async function keep(folder: string, path: string, digest: string): Promise<void> {
  try {
    await ensureWritableFolder(folder)
    await writeFileAtomically(path, digest)
  } catch (error) {
    // this costs only time: the digest is computed again
    if (!(error instanceof LayerpruneError)) throw error
  }
}

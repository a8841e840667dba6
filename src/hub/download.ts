import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { LayerpruneError } from '../errors.js'
import { explainFailure } from '../write-files.js'
import { addToSnapshot, findInCache, sizeOf } from './cache.js'
import type { Hub, TreeEntry } from './hub.js'
import { streamFile } from './remote-file.js'
import { fileUrl, isSafePath, type Repo } from './repo.js'

/** A download whose process is gone, or that nothing was added to for so long, can be gone on with. */
const ABANDONED_MS = 600_000
/** Whole downloads of a file whose content then turns out wrong. */
const MAX_CORRUPT = 3

/** Whether the cache has a file of a commit, whole. */
export async function isCached(hub: Hub, repo: Repo, commit: string, entry: TreeEntry): Promise<boolean> {
  const target = join(findInCache(hub.settings, repo).snapshotOf(commit), entry.path)
  return isSafePath(entry.path) && (await sizeOf(target)) === entry.sizeBytes
}

/**
 * Brings a file of a commit into the cache, unless it is there: what an earlier try left is gone on with, and
 * only a file of the announced size and hash gets its name.
 * @param onBytes  told of bytes that arrived or were there from an earlier try; less than none where those turn
 *   out to be wrong
 * @throws LayerpruneError where the file is refused, does not come in time, or cannot be written
 */
export async function downloadFile(
  hub: Hub,
  repo: Repo,
  commit: string,
  entry: TreeEntry,
  onBytes: (bytes: number) => void,
): Promise<void> {
  if (!isSafePath(entry.path)) {
    throw new LayerpruneError(`${repo.type} ${repo.id} has a file name that is not safe: ${entry.path}`)
  }
  const { blobs, snapshotOf } = findInCache(hub.settings, repo)
  const blob = join(blobs, entry.hash)
  if ((await sizeOf(blob)) !== entry.sizeBytes)
    await downloadBlob(hub, { ...repo, revision: commit }, entry, blob, onBytes)
  await addToSnapshot(blob, join(snapshotOf(commit), entry.path), hub.settings)
}

async function downloadBlob(
  hub: Hub,
  repo: Repo,
  entry: TreeEntry,
  blob: string,
  onBytes: (bytes: number) => void,
): Promise<void> {
  await explainFailure(blob, () => mkdir(dirname(blob), { recursive: true }))
  await assertSpace(dirname(blob), entry)
  for (let tries = 1; ; tries++) {
    const hash = await tryDownload(hub, repo, entry, blob, onBytes)
    if (hash === entry.hash) return
    if (tries < MAX_CORRUPT) continue
    throw new LayerpruneError(
      `cannot download ${entry.path} of ${repo.type} ${repo.id}: its content is not what the Hub announced: expected hash ${entry.hash}, found ${hash}`,
      { hint: 'a proxy or mirror may alter files: try without it' },
    )
  }
}

/** Goes on with a download to its end. @returns the hash of the content, which got its name only if that is right */
async function tryDownload(
  hub: Hub,
  repo: Repo,
  entry: TreeEntry,
  blob: string,
  onBytes: (bytes: number) => void,
): Promise<string> {
  const partial = await claimPartial(blob)
  let counted = 0
  try {
    const hash = await fillPartial(hub, repo, entry, partial, (bytes) => {
      counted += bytes
      onBytes(bytes)
    })
    if (hash === entry.hash) await explainFailure(blob, () => rename(partial, blob))
    else {
      await rm(partial, { force: true })
      onBytes(-counted)
    }
    return hash
  } catch (error) {
    // free for the next try, of this process or another
    await rename(partial, partialName(blob, 0)).catch(() => undefined)
    throw error
  }
}

/** Adds what is missing to a partial file. @returns the hash of all of it */
async function fillPartial(
  hub: Hub,
  repo: Repo,
  entry: TreeEntry,
  partial: string,
  onBytes: (bytes: number) => void,
): Promise<string> {
  const what = `${entry.path} of ${repo.type} ${repo.id}`
  let position = (await sizeOf(partial)) ?? 0
  if (position > entry.sizeBytes) {
    await rm(partial)
    position = 0
  }
  const hash = startHash(entry)
  if (position > 0) for await (const chunk of createReadStream(partial)) hash.update(chunk)
  onBytes(position)
  const handle = await explainFailure(partial, () => open(partial, 'a'))
  try {
    const url = fileUrl(hub.settings.endpoint, repo, entry.path)
    const file = { repo, what, url, sizeBytes: entry.sizeBytes }
    for await (const chunk of streamFile(hub, file, { start: position, end: null })) {
      await explainFailure(partial, () => handle.writeFile(chunk))
      hash.update(chunk)
      onBytes(chunk.length)
    }
    await explainFailure(partial, () => handle.sync())
  } finally {
    await handle.close()
  }
  return hash.digest('hex')
}

/** Large files are named by SHA-256, small ones as git names a blob. */
function startHash({ hash, sizeBytes }: TreeEntry): Hash {
  return hash.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${sizeBytes}\0`)
}

/** Ends as Python's partial files do, so that its tools find what is left over. */
function partialName(blob: string, pid: number): string {
  return `${blob}.${pid}.incomplete`
}

/** Takes over what an earlier try left, or names a new partial file; no two processes get the same. */
async function claimPartial(blob: string): Promise<string> {
  const own = partialName(blob, process.pid)
  const folder = dirname(blob)
  for (const name of await readdir(folder)) {
    if (!name.startsWith(`${basename(blob)}.`) || !name.endsWith('.incomplete')) continue
    const path = join(folder, name)
    if (path === own || !(await isAbandoned(path))) continue
    const isClaimed = await rename(path, own).then(
      () => true,
      () => false,
    )
    if (isClaimed) return own
  }
  return own
}

async function isAbandoned(path: string): Promise<boolean> {
  const modifiedMs = await stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => Date.now(),
  )
  if (Date.now() - modifiedMs > ABANDONED_MS) return true
  const pid = /\.(\d+)\.incomplete$/.exec(path)?.[1]
  return pid !== undefined && !isRunning(Number(pid))
}

function isRunning(pid: number): boolean {
  if (pid === 0) return false
  try {
    return process.kill(pid, 0)
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function assertSpace(folder: string, { path, sizeBytes }: TreeEntry): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  if (bavail * bsize >= sizeBytes) return
  throw new LayerpruneError(
    `no room for ${path}: it has ${sizeBytes} bytes, and ${bavail * bsize} are free at ${folder}`,
    { hint: 'free some space, or name another place with HF_HOME' },
  )
}

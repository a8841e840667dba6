import { createHash, type Hash } from 'node:crypto'
import { statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { LayerpruneError } from '../../base/errors.js'
import { explainFailure, makeFolder, OTHER_CACHE } from '../../base/write-files.js'
import type { TreeEntry } from './answers.js'
import { addToSnapshot, findInCache, sizeOf } from './cache.js'
import type { Hub } from './hub.js'
import { freePartial, openPartial, type PartialFile, publishPartial, removePartial } from './partial-file.js'
import { streamFile } from './remote-file.js'
import { fileUrl, isSafePath, type Repo } from './repo.js'

/** Complete downloads to try of a file whose content turns out wrong. */
const MAX_TRIES = 3

/** Whether the cache has the complete file of a commit. */
export async function isCached(hub: Hub, repo: Repo, commit: string, entry: TreeEntry): Promise<boolean> {
  const target = join(findInCache(hub.settings, repo).snapshotOf(commit), entry.path)
  return isSafePath(entry.path) && (await sizeOf(target)) === entry.sizeBytes
}

/**
 * Brings a file of a commit into the cache, unless it is there: an earlier partial download is continued,
 * and only a file of the announced size and hash gets its name.
 * @param onBytes  called with the bytes that arrived or were there from an earlier try; negative if those turn out to
 *   be wrong
 * @throws LayerpruneError if the file is refused, does not arrive in time, or cannot be written
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
  const folder = dirname(blob)
  await makeFolder(folder, OTHER_CACHE)
  for (let tries = 1; ; tries++) {
    const partial = await openPartial(blob, tries === 1)
    let counted = 0
    const count = (bytes: number) => {
      counted += bytes
      onBytes(bytes)
    }
    const hash = await completePartial(hub, repo, entry, partial, count).catch(async (error) => {
      await freePartial(partial)
      throw error
    })
    if (hash !== entry.hash) await removePartial(partial)
    else if ((await publishPartial(partial, blob)) || (await sizeOf(blob)) === entry.sizeBytes) return
    onBytes(-counted)
    if (tries < MAX_TRIES) continue
    const problem =
      hash === entry.hash
        ? 'another process keeps removing its partial file'
        : `its content is not what the Hub announced: expected hash ${entry.hash}, found ${hash}`
    throw new LayerpruneError(`cannot download ${entry.path} of ${repo.type} ${repo.id}: ${problem}`, {
      hint: 'a proxy or mirror may alter files: try without it',
    })
  }
}

/** Adds what is missing to a partial file. @returns the hash of what is then on disk, whoever wrote it */
async function completePartial(
  hub: Hub,
  repo: Repo,
  entry: TreeEntry,
  { path, handle, sizeBytes }: PartialFile,
  onBytes: (bytes: number) => void,
): Promise<string> {
  const isUsable = sizeBytes <= entry.sizeBytes
  if (!isUsable) await explainFailure(path, () => handle.truncate(0), OTHER_CACHE)
  const position = isUsable ? sizeBytes : 0
  await assertSpace(dirname(path), entry, position)
  onBytes(position)
  const what = `${entry.path} of ${repo.type} ${repo.id}`
  const url = fileUrl(hub.settings.endpoint, repo, entry.path)
  const file = { repo, what, url, sizeBytes: entry.sizeBytes }
  for await (const chunk of streamFile(hub, file, { start: position, end: null })) {
    await explainFailure(path, () => handle.writeFile(chunk), OTHER_CACHE)
    onBytes(chunk.length)
  }
  await explainFailure(path, () => handle.sync(), OTHER_CACHE)
  const hash = startHash(entry)
  for await (const chunk of handle.createReadStream({ start: 0, autoClose: false })) {
    hub.signal?.throwIfAborted()
    hash.update(chunk)
  }
  return hash.digest('hex')
}

/** Large files are named by SHA-256, small ones as git names a blob. */
function startHash({ hash, sizeBytes }: TreeEntry): Hash {
  return hash.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${sizeBytes}\0`)
}

async function assertSpace(folder: string, { path, sizeBytes }: TreeEntry, haveBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  const missingBytes = sizeBytes - haveBytes
  if (bavail * bsize >= missingBytes) return
  throw new LayerpruneError(
    `no room for ${path}: ${missingBytes} bytes of it are still to come, and ${bavail * bsize} are free at ${folder}`,
    { hint: 'free some space, or name another place with HF_HOME' },
  )
}

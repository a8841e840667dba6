import { randomBytes } from 'node:crypto'
import { access, constants, copyFile, type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { explainFailure, OTHER_CACHE } from '../../base/write-files.js'
import { sizeOf, unlessMissing } from './cache.js'

/**
 * A blob that is still being downloaded. Processes on several hosts and containers may share the folder, so
 * process ids prove nothing: each process writes to a file of its own with a random name,
 * `HASH.RANDOM.incomplete`, and nobody else ever writes to that. When its writer closes it, it is renamed to
 * `HASH.RANDOM.free.incomplete`, and belongs to whoever renames it next.
 */
export interface PartialFile {
  path: string
  /** Reads at any position, writes at the end. */
  handle: FileHandle
  /** Bytes that an earlier try left. */
  sizeBytes: number
}

const NAME = /^([0-9a-f]{40}|[0-9a-f]{64})\.[0-9a-f]{16}(\.free)?\.incomplete$/
/** After so long without a write its writer is gone, or will find that the file is. */
const ABANDONED_MS = 600_000
/** After so long nobody will come back to continue it. */
const FORGOTTEN_MS = 7 * 86_400_000

/** Opens a partial file of this process alone; with `reuse` it starts with what other tries have downloaded. */
export async function openPartial(blob: string, reuse: boolean): Promise<PartialFile> {
  const path = `${blob}.${randomBytes(8).toString('hex')}.incomplete`
  const make = async () => {
    const isThere = reuse && ((await takeFree(blob, path)) || (await copyLongest(blob, path)))
    const handle = await open(path, isThere ? 'a+' : 'ax+')
    const { size } = await handle.stat()
    return { path, handle, sizeBytes: size }
  }
  return explainFailure(path, make, OTHER_CACHE)
}

/** Closes a partial file so that the next try can continue it. */
export async function freePartial({ path, handle }: PartialFile): Promise<void> {
  await handle.close()
  // if that fails, the next try copies from it instead
  await rename(path, path.replace(/incomplete$/, 'free.incomplete')).catch(() => undefined)
}

export async function removePartial({ path, handle }: PartialFile): Promise<void> {
  await handle.close()
  await rm(path, { force: true })
}

/** Names a partial file as its blob; false if another process considered it abandoned and removed it. */
export async function publishPartial({ path, handle }: PartialFile, blob: string): Promise<boolean> {
  await handle.close()
  return explainFailure(blob, () => isDone(rename(path, blob)), OTHER_CACHE)
}

/** Removes partial files of dead downloads: of a blob that is complete by now, or that nobody came back for. */
export async function removeAbandonedPartials(blobs: string): Promise<void> {
  // in a shared cache, we may not be allowed to see or remove the files of others
  for (const name of await readdir(blobs).catch(() => [])) {
    const [, hash, free] = NAME.exec(name) ?? []
    if (hash === undefined) continue
    const path = join(blobs, name)
    const found = await unlessMissing(stat(path))
    const isWhole = (await sizeOf(join(blobs, hash))) !== undefined
    const limitMs = isWhole ? (free ? 0 : ABANDONED_MS) : FORGOTTEN_MS
    if (!found || Date.now() - found.mtimeMs < limitMs) continue
    await rm(path, { force: true }).catch(() => undefined)
  }
}

async function takeFree(blob: string, path: string): Promise<boolean> {
  for (const found of await listPartials(blob)) {
    if (!found.endsWith('.free.incomplete') || !(await isAllowed(found, constants.W_OK))) continue
    if (await isDone(rename(found, path))) return true
  }
  return false
}

/** Copies the longest one: a killed process frees nothing, and a running one must keep its own. */
async function copyLongest(blob: string, path: string): Promise<boolean> {
  let longest = { path: '', sizeBytes: 0 }
  for (const found of await listPartials(blob)) {
    const sizeBytes = (await sizeOf(found)) ?? 0
    if (sizeBytes > longest.sizeBytes && (await isAllowed(found, constants.R_OK))) {
      longest = { path: found, sizeBytes }
    }
  }
  if (longest.sizeBytes === 0) return false
  return isDone(copyFile(longest.path, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE))
}

async function listPartials(blob: string): Promise<string[]> {
  const names = await readdir(dirname(blob))
  return names.filter((name) => NAME.exec(name)?.[1] === basename(blob)).map((name) => join(dirname(blob), name))
}

async function isAllowed(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  )
}

/** @returns false if another process was faster */
async function isDone(action: Promise<void>): Promise<boolean> {
  return (await unlessMissing(action.then(() => true))) ?? false
}

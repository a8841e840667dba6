import { randomBytes } from 'node:crypto'
import { readdir, readFile, rename, stat, symlink } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { LayerpruneError } from '../../base/errors.js'
import { explainFailure, makeFolder, OTHER_CACHE, writeFileAtomically } from '../../base/write-files.js'
import { isCommit } from './answers.js'
import { isSafePath, type Repo } from './repo.js'
import type { HubSettings } from './settings.js'

/** Folders of a repository in the cache, laid out as Python's huggingface_hub lays them out. */
export interface CachedRepo {
  folder: string
  /** Contents by hash. */
  blobs: string
  /** Files of a commit by name, links to blobs. */
  snapshotOf(commit: string): string
}

/** Where the cache keeps a repository, whether it is there or not. */
export function findInCache({ cacheFolder }: HubSettings, { type, id }: Repo): CachedRepo {
  const folder = join(cacheFolder, [`${type}s`, ...id.split('/')].join('--'))
  return { folder, blobs: join(folder, 'blobs'), snapshotOf: (commit) => join(folder, 'snapshots', commit) }
}

/** The commit whose snapshot the cache has for a revision; undefined if it has none. */
export async function readCachedCommit(settings: HubSettings, repo: Repo): Promise<string | undefined> {
  if (!isSafePath(repo.revision)) return undefined
  const { folder, snapshotOf } = findInCache(settings, repo)
  const commit = (await readRef(join(folder, 'refs', repo.revision))) ?? repo.revision
  if (!isCommit(commit)) return undefined
  return (await sizeOf(snapshotOf(commit))) === undefined ? undefined : commit
}

/** Records the commit that a branch or tag points to. */
export async function writeCachedCommit(settings: HubSettings, repo: Repo, commit: string): Promise<void> {
  if (repo.revision === commit || !isSafePath(repo.revision)) return
  const path = join(findInCache(settings, repo).folder, 'refs', repo.revision)
  if ((await readRef(path)) === commit) return
  await makeFolder(dirname(path), OTHER_CACHE)
  await writeFileAtomically(path, commit)
}

async function readRef(path: string): Promise<string | undefined> {
  return (await readIfThere(path, (ref) => readFile(ref, 'utf8')))?.trim()
}

/** Files of a snapshot, relative to it, parts joined by `/`. */
export async function listSnapshot(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort()
}

/**
 * Puts a blob into a snapshot under the file's name: as a link, or by moving it if links are not available.
 * @throws LayerpruneError if the cache cannot be written to
 */
export async function addToSnapshot(blob: string, target: string, { useLinks }: HubSettings): Promise<void> {
  await makeFolder(dirname(target), OTHER_CACHE)
  const add = async () => {
    const temporary = `${target}.${randomBytes(8).toString('hex')}.tmp`
    const isLinked = useLinks && (await makeLink(relative(dirname(target), blob), temporary))
    if (isLinked) return rename(temporary, target)
    const isMoved = await unlessMissing(rename(blob, target).then(() => true))
    // another process may have moved it there first
    if (!isMoved) await stat(target)
  }
  await explainFailure(target, add, OTHER_CACHE)
}

/** @returns false if the system or the disk has no links, or the user may not create them */
async function makeLink(to: string, path: string): Promise<boolean> {
  try {
    await symlink(to, path)
    return true
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'EPERM' || code === 'ENOSYS' || code === 'ENOTSUP' || code === 'EOPNOTSUPP') return false
    throw cause
  }
}

/** Size of what a path leads to through links; undefined if that is nothing; throws if it cannot be determined. */
export async function sizeOf(path: string): Promise<number | undefined> {
  return (await readIfThere(path, (file) => stat(file)))?.size
}

/** @throws LayerpruneError for any failure except that nothing is there */
async function readIfThere<T>(path: string, read: (path: string) => Promise<T>): Promise<T | undefined> {
  try {
    return await unlessMissing(read(path))
  } catch (cause) {
    throw new LayerpruneError(`cannot read ${path} in the Hub's cache: ${(cause as Error).message}`, {
      hint: 'check its permissions, or name another cache with HF_HOME',
      cause,
    })
  }
}

/** The result of an action on a file; undefined if the file is not there. */
export async function unlessMissing<T>(action: Promise<T>): Promise<T | undefined> {
  return action.catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return undefined
    throw cause
  })
}

import { mkdir, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { explainFailure, writeFileAtomically } from '../write-files.js'
import { isSafePath, type Repo } from './repo.js'
import type { HubSettings } from './settings.js'

/** Folders of a repository in the cache, laid out as Python's huggingface_hub does. */
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
  return {
    folder,
    blobs: join(folder, 'blobs'),
    snapshotOf: (commit) => join(folder, 'snapshots', commit),
  }
}

/** The commit whose snapshot the cache has for a revision; undefined where it has none. */
export async function readCachedCommit(settings: HubSettings, repo: Repo): Promise<string | undefined> {
  if (!isSafePath(repo.revision)) return undefined
  const { folder, snapshotOf } = findInCache(settings, repo)
  const ref = await readFile(join(folder, 'refs', repo.revision), 'utf8').catch(() => repo.revision)
  const commit = ref.trim()
  if (!/^[0-9a-f]{40}$/.test(commit)) return undefined
  return (await sizeOf(snapshotOf(commit))) === undefined ? undefined : commit
}

/** Notes which commit a branch or tag stands for. */
export async function writeCachedCommit(settings: HubSettings, repo: Repo, commit: string): Promise<void> {
  if (repo.revision === commit || !isSafePath(repo.revision)) return
  const path = join(findInCache(settings, repo).folder, 'refs', repo.revision)
  const known = await readFile(path, 'utf8').catch(() => undefined)
  if (known === commit) return
  await explainFailure(path, () => mkdir(dirname(path), { recursive: true }))
  await writeFileAtomically(path, commit)
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
 * Puts a blob into a snapshot under the file's name: as a link, or by moving it where links are not to be had.
 * @throws LayerpruneError where the cache cannot be written to
 */
export async function addToSnapshot(blob: string, target: string, { useLinks }: HubSettings): Promise<void> {
  await explainFailure(target, async () => {
    await mkdir(dirname(target), { recursive: true })
    const temporary = `${target}.${process.pid}.tmp`
    await rm(temporary, { force: true })
    const isLinked = useLinks && (await makeLink(relative(dirname(target), blob), temporary))
    await rename(isLinked ? temporary : blob, target)
  })
}

/** @returns false where the system or the disk knows no links, or the user may not make them */
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

/** Size of what a path leads to through links; undefined where that is nothing. */
export async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    () => undefined,
  )
}

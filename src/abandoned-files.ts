import { lstat, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** What nothing was written to for so long has no process that still writes it. */
const ABANDONED_MS = 24 * 60 * 60 * 1000

/**
 * Removes what runs that were killed left in a folder. That is housekeeping: what cannot be listed or removed stays.
 * @param isOurs  whether a name is one that only we give to unfinished files and folders
 */
export async function removeAbandoned(folder: string, isOurs: (name: string) => boolean): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  for (const path of names.filter(isOurs).map((name) => join(folder, name))) {
    const lastMs = await lastChange(path).catch(() => Number.POSITIVE_INFINITY)
    if (Date.now() - lastMs > ABANDONED_MS) await rm(path, { recursive: true, force: true }).catch(() => {})
  }
}

/** When a file, or a file anywhere in a folder, was written to, in milliseconds. */
async function lastChange(path: string): Promise<number> {
  const stats = await lstat(path)
  if (!stats.isDirectory()) return stats.mtimeMs
  const inside = await Promise.all((await readdir(path)).map((name) => lastChange(join(path, name))))
  return Math.max(stats.mtimeMs, ...inside)
}

import { lstat, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** After this long without a write, no process is still writing a file. */
const ABANDONED_MS = 24 * 60 * 60 * 1000

/**
 * Removes what killed runs left in a folder. Best effort: what cannot be listed or removed is kept.
 * @param isOurs  whether only we give such a name to unfinished files and folders
 */
export async function removeAbandoned(folder: string, isOurs: (name: string) => boolean): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  for (const path of names.filter(isOurs).map((name) => join(folder, name))) {
    const lastMs = await lastChange(path).catch(() => Number.POSITIVE_INFINITY)
    if (Date.now() - lastMs > ABANDONED_MS) await rm(path, { recursive: true, force: true }).catch(() => {})
  }
}

/** When a file, or any file in a folder, was last written to, in milliseconds. */
async function lastChange(path: string): Promise<number> {
  const stats = await lstat(path)
  if (!stats.isDirectory()) return stats.mtimeMs
  const inside = await Promise.all((await readdir(path)).map((name) => lastChange(join(path, name))))
  return Math.max(stats.mtimeMs, ...inside)
}

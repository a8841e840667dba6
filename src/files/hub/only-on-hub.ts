import { stat } from 'node:fs/promises'
import { isRepoId } from './repo.js'

/**
 * Whether a name can only be that of a repository on the Hub: it has the form of an id, and this machine has nothing of
 * that name, which would come first. If that cannot be determined, for example without the right to search a folder, the
 * answer is no, and opening the path reports why.
 */
export async function isOnlyOnHub(name: string): Promise<boolean> {
  if (!isRepoId(name)) return false
  return stat(name).then(
    () => false,
    (cause: NodeJS.ErrnoException) => cause.code === 'ENOENT',
  )
}

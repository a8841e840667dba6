import { stat } from 'node:fs/promises'
import { isRepoId } from './repo.js'

/**
 * Whether a name can only be on the Hub: it has the form of an id and nothing here has that name. If that cannot be
 * determined, the answer is no, and opening the path reports why.
 */
export async function isOnlyOnHub(name: string): Promise<boolean> {
  if (!isRepoId(name)) return false
  return stat(name).then(
    () => false,
    (cause: NodeJS.ErrnoException) => cause.code === 'ENOENT',
  )
}

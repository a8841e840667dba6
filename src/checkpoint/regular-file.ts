import type { Stats } from 'node:fs'
import { stat } from 'node:fs/promises'
import { LayerpruneError } from '../errors.js'

/**
 * Checks that a file of a model can be read to its end: a pipe or a device may have no end, and opening one may
 * wait for ever. A missing file or a folder is left to the reader to report.
 * @throws LayerpruneError if it is anything else
 */
export async function assertRegularFile(path: string): Promise<void> {
  const stats = await stat(path).catch(() => undefined)
  if (stats === undefined || stats.isFile() || stats.isDirectory()) return
  throw new LayerpruneError(`${path}: expected a file, found ${describe(stats)}`, {
    hint: "put the model's file in its place",
  })
}

function describe(stats: Stats): string {
  if (stats.isFIFO()) return 'a named pipe'
  return stats.isSocket() ? 'a socket' : 'a device'
}

import type { Stats } from 'node:fs'
import { stat } from 'node:fs/promises'
import { LayerpruneError } from './errors.js'

/** An open file of this process, such as standard input: its user means it to be read, whatever it is. */
export function isDescriptor(path: string): boolean {
  return /^\/(?:dev\/stdin|dev\/fd\/\d+|proc\/self\/fd\/\d+)$/.test(path)
}

/**
 * Checks that a path leads to a file that can be read to its end: a pipe or device may have none. A missing file is left
 * to the reader.
 * @throws LayerpruneError if it is anything else
 */
export async function assertRegularFile(path: string): Promise<void> {
  const stats = await stat(path).catch(() => undefined)
  if (stats?.isDirectory()) throw unexpected(path, stats)
  await assertFileOrFolder(path)
}

/** As `assertRegularFile`, and lets a folder pass. */
export async function assertFileOrFolder(path: string): Promise<void> {
  const stats = await stat(path).catch(() => undefined)
  if (stats !== undefined && !stats.isFile() && !stats.isDirectory()) throw unexpected(path, stats)
}

function unexpected(path: string, stats: Stats): LayerpruneError {
  return new LayerpruneError(`${path}: expected a file, found ${describe(stats)}`, {
    hint: 'put a file in its place',
  })
}

function describe(stats: Stats): string {
  if (stats.isDirectory()) return 'a folder'
  if (stats.isFIFO()) return 'a named pipe'
  return stats.isSocket() ? 'a socket' : 'a device'
}

import type { Stats } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { LayerpruneError, UsageError } from '../../../base/errors.js'
import { ensureWritableFolder } from '../../../base/write-files.js'

/** Larger than any page or result. */
const MAX_OUTPUT_BYTES = 64e6

/**
 * Checks the file that a command writes, before it works for it: it is none of the files that the command reads, what
 * is there already is a file that layerprune wrote, and its folder can be written to, created if missing. Devices and
 * pipes are written to as they are.
 * @param path  as the user named it; undefined if no file was asked for
 * @param inputs  files that the command reads, those of them that are files
 * @throws UsageError if it is one of the inputs
 * @throws LayerpruneError if it would replace another file, or cannot be written
 */
export async function prepareOutputFile(path: string | undefined, inputs: (string | undefined)[]): Promise<void> {
  if (path === undefined) return
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) return ensureWritableFolder(dirname(path))
  if (found.isDirectory()) {
    throw new LayerpruneError(`cannot write ${path}: is a folder, expected a file`, { hint: 'name a file' })
  }
  if (found.isFile()) await assertReplaceable(path, found, inputs)
}

async function assertReplaceable(
  path: string,
  { dev, ino, size }: Stats,
  inputs: (string | undefined)[],
): Promise<void> {
  for (const input of inputs) {
    const read = input === undefined ? undefined : await stat(input).catch(() => undefined)
    if (read?.dev === dev && read.ino === ino) {
      throw new UsageError(`the output ${path} is the file ${input} that is read`, {
        hint: 'name another file with --output',
      })
    }
  }
  if (size === 0 || /\.(svg|png)$/i.test(path)) return
  if (size <= MAX_OUTPUT_BYTES && (await readFile(path)).includes('layerprune')) return
  throw new LayerpruneError(`${path} already exists and was not written by layerprune`, {
    hint: 'name another file with --output, or remove this one first',
  })
}

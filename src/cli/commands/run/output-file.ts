import type { Stats } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { LayerpruneError, UsageError } from '../../../base/errors.js'
import { ensureWritableFolder } from '../../../base/write-files.js'
import { isResultName, listResults, plansLast } from './saved-runs.js'

/** Larger than any page or result. */
const MAX_OUTPUT_BYTES = 64e6

/**
 * Checks the file that a command writes, before it works for it: it is none of the files that the command reads, what
 * is there already is a file that layerprune wrote, it does not come between the results of another run, and its folder
 * can be written to, created if missing. Devices and pipes are written to as they are.
 * @param path  as the user named it; undefined if no file was asked for
 * @param inputs  files that the command reads, those of them that are files
 * @returns whether it is or will be a file
 * @throws UsageError if it is one of the inputs
 * @throws LayerpruneError if it would replace another file, or cannot be written
 */
export async function prepareOutputFile(path: string | undefined, inputs: (string | undefined)[]): Promise<boolean> {
  if (path === undefined) return false
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory()) {
    throw new LayerpruneError(`cannot write ${path}: is a folder, expected a file`, { hint: 'name a file' })
  }
  if (found !== undefined && !found.isFile()) return false
  if (found === undefined) await ensureWritableFolder(dirname(path))
  else await assertReplaceable(path, found, inputs)
  await assertOfNoRun(path, inputs)
  return true
}

/** @throws LayerpruneError if the folder has results, and the file has the name of one but is not made from them */
async function assertOfNoRun(path: string, inputs: (string | undefined)[]): Promise<void> {
  if (!isResultName(basename(path))) return
  const folder = dirname(path)
  const read = inputs.flatMap((file) => (file === undefined ? [] : [resolve(file)]))
  const documents = (await listResults(folder)).filter((name) => name.endsWith('.json'))
  if (documents.some((name) => read.includes(resolve(folder, name)))) return
  const other = documents.toSorted(plansLast).find((name) => resolve(folder, name) !== resolve(path))
  if (other === undefined) return
  throw new LayerpruneError(`${path} would be taken for a file of the run of ${join(folder, other)}`, {
    hint: 'name another file with --output',
  })
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

import { readFile, stat } from 'node:fs/promises'
import { LayerpruneError, UsageError } from '../../errors.js'

/** No page or result is larger. */
const MAX_OUTPUT_BYTES = 64e6

/**
 * Checks the file that a command writes, before it works for it: it is none of the files that the command reads, and
 * what is there already is a file that layerprune wrote. Devices and pipes are written to as they are.
 * @param path  as the user named it; undefined if no file was asked for
 * @param inputs  files that the command reads, those of them that are files
 * @throws UsageError if it is one of the inputs
 * @throws LayerpruneError if it would replace another file
 */
export async function checkOutputFile(
  path: string | undefined,
  inputs: (string | undefined)[],
): Promise<void> {
  const found = path === undefined ? undefined : await findFile(path)
  if (found === undefined) return
  for (const input of inputs) {
    const read = input === undefined ? undefined : await findFile(input)
    if (read?.dev === found.dev && read.ino === found.ino) {
      throw new UsageError(`the output ${path} is the file ${input} that is read`, {
        hint: 'name another file with --output',
      })
    }
  }
  if (found.size === 0 || /\.(svg|png)$/i.test(path!)) return
  if (found.size <= MAX_OUTPUT_BYTES && (await readFile(path!)).includes('layerprune')) return
  throw new LayerpruneError(`${path} is there already and was not written by layerprune`, {
    hint: 'name another file with --output, or remove this one first',
  })
}

/** What cannot be looked at cannot be written either, and is refused when that is tried. */
async function findFile(path: string) {
  const found = await stat(path).catch(() => undefined)
  return found?.isFile() ? found : undefined
}

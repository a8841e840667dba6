import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { LayerpruneError } from '../../base/errors.js'
import { assertRegularFile } from '../../base/regular-file.js'
import { type DataKind, detectKind, isDescription, KNOWN_KINDS } from './kind.js'

/** A dataset file on disk, by the path the user gave or one below it. */
export interface DataFile {
  path: string
  kind: DataKind
  sizeBytes: number
}

/**
 * Lists the files of a dataset: the files named, and those of a known kind in the folders named.
 * A folder is read in name order (by code unit, folders and files alike) and recursively; links are followed;
 * hidden files and those that describe the dataset (README.md, dataset_info.json) are skipped.
 * @throws LayerpruneError if a path is missing, is a file of unknown kind, or is a folder without data
 */
export async function listDataFiles(paths: string[]): Promise<DataFile[]> {
  const files: DataFile[] = []
  for (const path of paths) {
    const stats = await statPath(path)
    if (stats.isDirectory()) {
      const found = await listFolder(path, new Set())
      if (found.length === 0) {
        throw new LayerpruneError(
          `no dataset files in folder ${path}: expected ${KNOWN_KINDS}; found ${await describeFolder(path)}`,
        )
      }
      files.push(...found)
      continue
    }
    const kind = detectKind(basename(path))
    if (!kind) {
      throw new LayerpruneError(
        `dataset file ${path} is of an unknown kind: expected a name that ends in ${KNOWN_KINDS}`,
      )
    }
    await assertRegularFile(path)
    files.push({ path, kind, sizeBytes: stats.size })
  }
  return files
}

async function listFolder(folder: string, parents: Set<string>): Promise<DataFile[]> {
  const real = await realpath(folder)
  if (parents.has(real)) return []
  const files: DataFile[] = []
  const names = await readFolder(folder)
  for (const name of names.sort()) {
    if (isDescription(name)) continue
    const path = join(folder, name)
    const kind = detectKind(name)
    const stats = await statPath(path)
    if (stats.isDirectory()) files.push(...(await listFolder(path, new Set([...parents, real]))))
    else if (kind && stats.isFile()) files.push({ path, kind, sizeBytes: stats.size })
  }
  return files
}

async function describeFolder(folder: string): Promise<string> {
  const names = await readFolder(folder)
  const more = names.length > 5 ? ` and ${names.length - 5} more` : ''
  return names.length === 0 ? 'nothing' : `${names.sort().slice(0, 5).join(', ')}${more}`
}

async function readFolder(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new LayerpruneError(`cannot read dataset folder ${folder}: ${code}`, { cause })
  }
}

async function statPath(path: string) {
  try {
    return await stat(path)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new LayerpruneError(`no dataset file or folder at ${path}`, {
        hint: 'give the path of a file or folder on this machine, or the id of one dataset on the Hub',
        cause,
      })
    }
    throw new LayerpruneError(`cannot read dataset ${path}: ${code}`, { cause })
  }
}

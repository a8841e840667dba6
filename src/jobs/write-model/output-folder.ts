import { randomBytes } from 'node:crypto'
import { lstat, mkdir, readdir, realpath, rename, rm, rmdir, statfs } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { removeAbandoned } from '../../base/abandoned-files.js'
import { LayerpruneError, UsageError } from '../../base/errors.js'
import { type Lock, lockOutput } from '../../base/lock.js'
import { nameOption } from '../../base/name-option.js'
import { explainFailure, makeFolder, shortenName } from '../../base/write-files.js'
import { inspectModelFolder } from './model-files.js'

/** Where a pruned model will be, checked and not yet touched. */
export interface OutputFolder {
  /** Real path, links resolved as far as it exists. */
  path: string
  /** What is there now: nothing, an empty folder, or a model that will be replaced. */
  found: 'nothing' | 'empty' | 'model'
}

interface CheckOptions {
  source: string
  known?: string[] | undefined
  force?: boolean | undefined
  onNote?: ((message: string) => void) | undefined
}

/** An output folder that no other process writes to until the lock is released. */
export interface ClaimedFolder extends OutputFolder {
  lock: Lock
}

/** A path beside an output folder, named after it: `.`, `..` and `/` have no name of their own. */
export function pathBeside(output: string, ending: string): string {
  const name = output.replace(/[\\/]+$/, '')
  return `${/^$|(^|[\\/])\.\.?$/.test(name) ? resolve(output) : name}${ending}`
}

/** Names of the folders beside an output that hold it while it is written or replaced. */
const nameStart = (path: string, state: 'partial' | 'replaced') =>
  `.${shortenName(basename(path))}.layerprune-${state}-`

/** Checks an output folder as `checkOutputFolder` does, and locks it. Throws as that and `lockFolder`. */
export async function claimFolder(output: string, options: CheckOptions): Promise<ClaimedFolder> {
  await checkOutputFolder(output, options)
  const lock = await lockFolder(output)
  try {
    // before it was locked, another process may have written there
    return { ...(await checkOutputFolder(output, options)), lock }
  } catch (error) {
    lock.release()
    throw error
  }
}

/**
 * Locks the place of a model, beside which folders are created if they are missing.
 * @throws LayerpruneError if another process writes there, or the place cannot be written to
 */
export async function lockFolder(output: string): Promise<Lock> {
  await makeFolder(dirname(resolve(output)))
  return lockOutput(output)
}

/**
 * Checks that a model can be written to a folder: it is not there, or empty, or it holds a model and nothing else and
 * `force` is given, and it does not overlap the folder that is read.
 * @param output as the user named it
 * @param source folder of the model that is pruned
 * @param known names of the files of that model, which the folder may hold whatever they are called
 * @throws UsageError if the folders overlap
 * @throws LayerpruneError if something is there that would be lost
 */
export async function checkOutputFolder(
  output: string,
  { source, known = [], force = false, onNote }: CheckOptions,
): Promise<OutputFolder> {
  const path = await resolveLinks(resolve(output))
  const realSource = await realpath(source)
  if (isWithin(path, realSource) || isWithin(realSource, path)) {
    throw new UsageError(`the output ${output} and the model ${source} overlap`, {
      hint: 'name a folder of its own beside the model',
    })
  }
  await restoreReplaced(path, output, onNote)
  const stats = await lstat(path).catch(ignoreMissing)
  if (stats === undefined) return { path, found: 'nothing' }
  if (!stats.isDirectory()) throw new LayerpruneError(`${output} is a file, expected a folder or nothing`)
  const names = await readdir(path)
  if (names.length === 0) return { path, found: 'empty' }
  if (!force) {
    throw new LayerpruneError(`${output} already exists`, {
      hint: 'name another folder with `output`, or replace this one with `force`',
    })
  }
  const { holdsModel, stranger } = await inspectModelFolder(path, known)
  const problem = !holdsModel
    ? 'holds no model (no weights and no layerprune-plan.json)'
    : stranger !== undefined && `holds ${stranger}, which is not known to be part of a model`
  if (problem) {
    throw new LayerpruneError(`${output} ${problem}, so ${nameOption('force')} does not replace it`, {
      hint: 'name another folder with `output`',
    })
  }
  return { path, found: 'model' }
}

/**
 * Lets `write` fill a temporary folder beside the output, named `.NAME.layerprune-partial-...`, and moves it there once
 * complete. Only then is the old content removed; on any failure the output is as it was.
 */
export async function fillFolder(
  { path, found }: OutputFolder,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  const parent = dirname(path)
  const name = (state: 'partial' | 'replaced') =>
    join(parent, `${nameStart(path, state)}${randomBytes(4).toString('hex')}`)
  const temporary = name('partial')
  await makeFolder(parent)
  for (const state of ['partial', 'replaced'] as const) {
    await removeAbandoned(parent, (other) => isNumbered(other, nameStart(path, state)))
  }
  try {
    await explainFailure(path, () => mkdir(temporary))
    await write(temporary)
    await explainFailure(path, async () => {
      if (found === 'empty') await rmdir(path)
      if (found !== 'model') return rename(temporary, path)
      const replaced = name('replaced')
      await rename(path, replaced)
      try {
        await rename(temporary, path)
      } catch (error) {
        await rename(replaced, path)
        throw error
      }
      await rm(replaced, { recursive: true })
    })
  } catch (error) {
    await rm(temporary, { recursive: true, force: true })
    throw error
  }
}

function isNumbered(name: string, start: string): boolean {
  return name.startsWith(start) && /^[0-9a-f]{8}$/.test(name.slice(start.length))
}

/** Restores the model that a killed run with `force` had moved away. */
async function restoreReplaced(path: string, output: string, onNote: CheckOptions['onNote']): Promise<void> {
  if ((await lstat(path).catch(ignoreMissing)) !== undefined) return
  const parent = dirname(path)
  const names = (await readdir(parent).catch(ignoreMissing)) ?? []
  const replaced = names.find((name) => isNumbered(name, nameStart(path, 'replaced')))
  if (replaced === undefined) return
  await explainFailure(path, () => rename(join(parent, replaced), path))
  onNote?.(`put back ${output}, which an interrupted run had moved to ${replaced}`)
}

/** @throws LayerpruneError with both numbers if a disk has no room for what will be written */
export async function assertRoom({ path }: OutputFolder, sizeBytes: number): Promise<void> {
  let existing = dirname(path)
  while ((await lstat(existing).catch(ignoreMissing)) === undefined) existing = dirname(existing)
  const { bavail, bsize, blocks } = await statfs(existing)
  // of /proc and the like, which hold no files of users
  if (blocks === 0) {
    throw new LayerpruneError(`cannot write ${path}: permission denied`, { hint: 'name a place you may write to' })
  }
  const freeBytes = bavail * bsize
  if (freeBytes < sizeBytes) {
    throw new LayerpruneError(
      `not enough room for ${path}: ${sizeBytes} bytes will be written, ${freeBytes} are free`,
      { hint: 'free some space, or write to another disk' },
    )
  }
}

/** The real path of the part that exists, with the rest behind it. */
async function resolveLinks(path: string): Promise<string> {
  const real = await realpath(path).catch(ignoreMissing)
  if (real !== undefined) return real
  const parent = dirname(path)
  return parent === path ? path : join(await resolveLinks(parent), basename(path))
}

function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path)
  return !(way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way))
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
  throw error
}

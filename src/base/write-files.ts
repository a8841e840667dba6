import { randomBytes } from 'node:crypto'
import { access, constants, type FileHandle, mkdir, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { removeAbandoned } from './abandoned-files.js'
import { LayerpruneError } from './errors.js'

type Content = string | Uint8Array

/**
 * Writes files into a folder, created if missing, so that no file is ever seen half written, and none of an earlier
 * set beside one of the new. Each is written under a temporary name beside its place and flushed to disk; once all
 * are complete, the old ones are removed, the first of them by the new one, and the others follow. A process that is
 * killed meanwhile leaves some files missing.
 * @throws LayerpruneError with the path and the reason; the temporary files are then removed
 * @param files  content by file name
 */
export async function writeFilesAtomically(folder: string, files: Record<string, Content>): Promise<void> {
  await ensureWritableFolder(folder)
  await replaceFiles(Object.entries(files).map(([name, content]) => ({ path: join(folder, name), content })))
}

/**
 * Creates a folder if it is missing and checks that files can be written there, so that a long run does not
 * end in a place it cannot write to.
 * @throws LayerpruneError with the path and the reason
 */
export async function ensureWritableFolder(folder: string): Promise<void> {
  await makeFolder(folder)
  await explainFailure(folder, () => access(folder, constants.W_OK))
}

/** @throws LayerpruneError with the path and the reason */
export async function makeFolder(folder: string, elsewhere?: Elsewhere): Promise<void> {
  await explainFailure(folder, () => makeLevels(folder), elsewhere)
}

/** Level by level, to name the topmost missing folder: mkdir with `recursive` never ends in /proc. */
async function makeLevels(folder: string): Promise<void> {
  const error = await tryMakeFolder(folder)
  if (error === undefined) return
  const parent = dirname(folder)
  if (codeOf(error) !== 'ENOENT' || parent === folder) throw error
  await makeLevels(parent)
  const again = await tryMakeFolder(folder)
  // no folder can be created in an existing one, as in /proc
  if (again !== undefined) throw codeOf(again) === 'ENOENT' ? Object.assign(again, { code: 'EPERM' }) : again
}

async function tryMakeFolder(folder: string): Promise<Error | undefined> {
  try {
    await mkdir(folder)
    return undefined
  } catch (error) {
    const isThere = await stat(folder).then(
      (found) => found.isDirectory(),
      () => false,
    )
    return isThere ? undefined : (error as Error)
  }
}

/**
 * Writes one file whole or not at all, into a folder that exists. What is not a regular file, such as /dev/stdout
 * or a pipe, is written to directly, and a symbolic link is kept.
 * @throws LayerpruneError with the path and the reason
 */
export async function writeFileAtomically(path: string, content: Content): Promise<void> {
  await replaceFiles([{ path, content }])
}

/** File names have at most 255 bytes; this leaves room for what a temporary name adds. */
const MAX_NAME_BYTES = 200
const TEMPORARY = /\.[0-9a-f]{12}\.tmp$/

/** A name cut at a whole character to at most 200 bytes, for temporary names. */
export function shortenName(name: string): string {
  const bytes = new TextEncoder().encode(name).subarray(0, MAX_NAME_BYTES)
  return new TextDecoder().decode(bytes, { stream: true })
}

interface FileToWrite {
  path: string
  content: Content
}

async function replaceFiles(files: FileToWrite[]): Promise<void> {
  const written: { path: string; target: string; temporary: string }[] = []
  try {
    for (const { path, content } of files) {
      await explainFailure(path, async () => {
        const { target, special } = await resolveTarget(path)
        if (special) return writeAndFlush(target, content, 'w')
        const name = `.${shortenName(basename(target))}.`
        await removeAbandoned(dirname(target), (other) => other.startsWith(name) && TEMPORARY.test(other))
        const temporary = join(dirname(target), `${name}${randomBytes(6).toString('hex')}.tmp`)
        written.push({ path, target, temporary })
        await writeAndFlush(temporary, content, 'wx')
      })
    }
    for (const { path, target } of written.slice(1)) {
      await explainFailure(path, () => rm(target, { force: true }))
    }
    for (const { path, target, temporary } of written) {
      await explainFailure(path, () => rename(temporary, target))
    }
  } catch (error) {
    await Promise.all(written.map(({ temporary }) => rm(temporary, { force: true })))
    throw error
  }
}

/** Where a path leads through links, and whether that is a device or pipe that a rename would replace. */
async function resolveTarget(path: string): Promise<{ target: string; special: boolean }> {
  const found = await stat(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null
    throw error
  })
  if (found === null) return { target: path, special: false }
  if (found.isDirectory()) throw Object.assign(new Error('is a folder'), { code: 'EISDIR' })
  // /dev/stdout leads to a pipe that has no path
  return found.isFile() ? { target: await realpath(path), special: false } : { target: path, special: true }
}

async function writeAndFlush(path: string, content: Content, flags: 'w' | 'wx'): Promise<void> {
  const file = await open(path, flags)
  try {
    await file.writeFile(content)
    // devices and pipes have nothing to flush
    if (flags === 'wx') await file.sync()
  } finally {
    await file.close()
  }
}

/** Writes all bytes to an open file, at a position or, if it is omitted, after what was written before. */
export async function writeExactly(file: FileHandle, bytes: Uint8Array, position?: number): Promise<void> {
  for (let written = 0; written < bytes.byteLength; ) {
    const place = position === undefined ? null : position + written
    written += (await file.write(bytes, written, bytes.byteLength - written, place)).bytesWritten
  }
}

/** What to do if a place cannot be written to, and if it is full. */
interface Elsewhere {
  forbidden: string
  full: string
}

const OTHER_OUTPUT: Elsewhere = {
  forbidden: 'name a place you may write to',
  full: 'free some space, or write to another disk',
}

/** The same for the Hub's cache and what is kept beside it. */
export const OTHER_CACHE: Elsewhere = {
  forbidden: 'name a place you may write to with HF_HOME',
  full: 'free some space, or name another place with HF_HOME',
}

const REASONS: Record<string, [reason: string, hint?: string | keyof Elsewhere]> = {
  ENOSPC: ['no space left on the disk', 'full'],
  EDQUOT: ['the disk quota is used up', 'full'],
  EFBIG: ['the file is larger than allowed here'],
  EACCES: ['permission denied', 'forbidden'],
  EPERM: ['permission denied', 'forbidden'],
  EROFS: ['the file system is read-only', 'forbidden'],
  ENOENT: ['its folder does not exist', 'create the folder first'],
  ENOTDIR: ['a part of the path is a file, expected a folder', 'name another place'],
  EEXIST: ['is a file, expected a folder', 'name another place, or remove the file'],
  EISDIR: ['is a folder, expected a file', 'name a file'],
  ENAMETOOLONG: ['the name is too long'],
}

/**
 * Runs an action that writes, and explains a file system failure and what to do about it.
 * @throws LayerpruneError with the path and the reason
 */
export async function explainFailure<T>(
  path: string,
  action: () => Promise<T>,
  elsewhere: Elsewhere = OTHER_OUTPUT,
): Promise<T> {
  try {
    return await action()
  } catch (cause) {
    const code = codeOf(cause)
    if (code === undefined) throw cause
    const [reason, advice] = REASONS[code] ?? [(cause as Error).message]
    const hint = advice === 'full' || advice === 'forbidden' ? elsewhere[advice] : advice
    throw new LayerpruneError(`cannot write ${path}: ${reason}`, { cause, ...(hint ? { hint } : {}) })
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

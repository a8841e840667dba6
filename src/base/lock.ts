import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { LayerpruneError } from './errors.js'
import { explainFailure, shortenName } from './write-files.js'

/** A process that writes to an output, as its lock file names it. */
interface LockHolder {
  pid: number
  /** When the process started, in ticks since the machine did: another process may get the same pid. Null if unknown. */
  startedTicks: string | null
  host: string
  /** ISO 8601. */
  since: string
  /** What it makes; processes that make parts of one thing may share a folder. */
  work: string
}

export interface Lock {
  release(): void
}

interface LockOptions {
  /** What is made, in words that are equal only for parts of one thing; omitted if nothing is shared. */
  work?: string
  /** What messages call the output; its path if omitted. */
  named?: string | undefined
  /** Also refuses while another process makes something else in the same folder. */
  wholeFolder?: boolean
}

const ENDING = '.layerprune-lock'
/** An empty lock file is being written, or its writer was killed that instant. */
const WRITING_MS = 5000
const LOOK_AGAIN_MS = 50

const held = new Set<string>()
process.on('exit', () => {
  for (const file of held) rmSync(file, { force: true })
})

/**
 * Locks an output against other processes, and against other calls in this one, until it is released or the process
 * ends. The lock is the file `.NAME.layerprune-lock` beside the output, whose folder must exist. Locks of processes of
 * this host that no longer run are taken over.
 * @throws LayerpruneError with pid, host and time if another process holds the lock, or it cannot be written
 */
export async function lockOutput(
  path: string,
  { work = '', named = path, wholeFolder = false }: LockOptions = {},
): Promise<Lock> {
  const file = join(dirname(resolve(path)), `.${shortenName(basename(resolve(path)))}${ENDING}`)
  const holder: LockHolder = {
    pid: process.pid,
    startedTicks: readStart(process.pid),
    host: hostname(),
    since: `${new Date().toISOString().slice(0, 19)}Z`,
    work,
  }
  await explainFailure(named, () => acquire(file, named, holder))
  const lock = { release: () => release(file) }
  try {
    if (wholeFolder) assertAlone(file, path, work)
  } catch (error) {
    lock.release()
    throw error
  }
  return lock
}

async function acquire(file: string, path: string, holder: LockHolder): Promise<void> {
  for (;;) {
    try {
      create(file, JSON.stringify(holder))
      held.add(file)
      return
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // no file can be created in an existing folder, as in /proc
      if (code === 'ENOENT' && existsSync(dirname(file))) throw Object.assign(error as Error, { code: 'EPERM' })
      if (code !== 'EEXIST') throw error
    }
    const text = readLock(file)
    if (text === undefined) continue
    if (isAlive(file, text)) {
      if (parseHolder(text) !== undefined) throw busyError(path, file, text)
      // its process says who it is in a moment, or was killed before it could
      await setTimeout(LOOK_AGAIN_MS)
      continue
    }
    takeAway(file, text)
  }
}

/** Removes a stale lock, unless another process has replaced it meanwhile. */
function takeAway(file: string, stale: string): void {
  const aside = `${file}.${randomBytes(6).toString('hex')}`
  try {
    renameSync(file, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  if (readLock(aside) === stale) rmSync(aside, { force: true })
  else renameSync(aside, file)
}

function release(file: string): void {
  held.delete(file)
  rmSync(file, { force: true })
}

/** @throws LayerpruneError if a process makes something else in the folder of a lock */
function assertAlone(file: string, path: string, work: string): void {
  for (const name of readdirSync(dirname(file)).filter((name) => name.endsWith(ENDING))) {
    const other = join(dirname(file), name)
    const text = other === file ? undefined : readLock(other)
    if (text === undefined || !isAlive(other, text) || parseHolder(text)?.work === work) continue
    throw busyError(dirname(path), other, text)
  }
}

function isAlive(file: string, text: string): boolean {
  const holder = parseHolder(text)
  if (holder === undefined) {
    // either way: the clock may have been set back since the file was written
    return Math.abs(Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0)) < WRITING_MS
  }
  if (holder.host !== hostname()) return true
  if (holder.pid === process.pid) return held.has(file)
  return isRunning(holder.pid) && [null, holder.startedTicks].includes(readStart(holder.pid))
}

/** Whole or not at all, though a full disk may have room for an empty file. */
function create(file: string, text: string): void {
  const descriptor = openSync(file, 'wx')
  try {
    writeSync(descriptor, text)
  } catch (error) {
    rmSync(file, { force: true })
    throw error
  } finally {
    closeSync(descriptor)
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Field 22 of /proc/PID/stat, counted behind the name, which may hold spaces; null on systems that have no such file. */
function readStart(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null
  } catch {
    return null
  }
}

function readLock(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function parseHolder(text: string): LockHolder | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function busyError(path: string, file: string, text: string): LayerpruneError {
  const { pid, host, since } = parseHolder(text) ?? {}
  const who = pid === undefined ? 'that has just started' : `: pid ${pid} on ${host}, since ${since}`
  const isHere = host === undefined || host === hostname()
  return new LayerpruneError(`${path} is being written by another layerprune process${pid ? '' : ' '}${who}`, {
    hint: isHere
      ? 'wait until it has ended, or name another place with `output`'
      : `wait until it has ended, or name another place with \`output\`; if it was killed, remove ${file}`,
  })
}

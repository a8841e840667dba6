import { rm } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { LayerpruneError } from '../../../base/errors.js'
import { lockOutput } from '../../../base/lock.js'
import { ensureWritableFolder, writeFilesAtomically } from '../../../base/write-files.js'
import type { RunRecord } from '../../../results/documents/run-record.js'
import { prepareOutputFile } from './output-file.js'
import {
  findOtherRun,
  findOtherRuns,
  isShardOrPartial,
  listResults,
  type OtherRun,
  partialBeside,
} from './saved-runs.js'

interface ClaimOptions {
  run: RunRecord
  force?: boolean | undefined
}

interface FolderOptions extends ClaimOptions {
  /** Name of the run's JSON file without its ending. */
  name: string
  /** Files in the folder that the command reads, which it may therefore add to. */
  inputs?: string[]
}

/** A folder of results while one run writes to it. */
export interface ClaimedFolder {
  run: RunRecord
  /**
   * Writes the files of the run, and removes those of other runs that were there before, so that all files of results
   * in the folder are of this run.
   * @returns the names of the files written
   */
  write(files: Record<string, string>): Promise<string[]>
}

/**
 * Works with a folder of results that no other process writes to and that has no result of other settings, or has with
 * `force`, which then replaces it once there is a new one. The folder is created if it is missing.
 * @throws LayerpruneError if it cannot be written to, another process writes to it, or a result would be lost
 */
export async function withFolder<T>(
  folder: string,
  { run, name, force, inputs = [] }: FolderOptions,
  work: (claimed: ClaimedFolder) => Promise<T>,
): Promise<T> {
  await ensureWritableFolder(folder)
  const part = run.shard === undefined ? 'results' : name
  const lock = await lockOutput(join(folder, part), {
    work: JSON.stringify([run.command, run.options]),
    named: run.shard === undefined ? folder : undefined,
    wholeFolder: true,
  })
  try {
    const read = new Set(inputs.map((path) => resolve(path)))
    const found = await findOtherRuns(folder, run, [`${name}.json`])
    const others = found.filter(({ path }) => !read.has(resolve(path)))
    if (!force && others.length > 0) throw conflict(folder, others)
    return await work({
      run,
      async write(files) {
        await writeFilesAtomically(folder, files)
        const mine = run.shard === undefined ? await listResults(folder) : []
        const stale = mine.filter((other) => !isShardOrPartial(other)).map((other) => join(folder, other))
        for (const path of [...others.map(({ path }) => path), ...stale]) {
          if (!(basename(path) in files) && !read.has(resolve(path))) await rm(path, { force: true })
        }
        return Object.keys(files)
      },
    })
  } finally {
    lock.release()
  }
}

/**
 * Works while no other process writes a file of results, which holds no result of other settings, or does with `force`.
 * @param path  undefined if no file is written
 * @throws as `prepareOutputFile`; LayerpruneError if another process writes it, or a result would be lost
 */
export async function withFile<T>(
  path: string | undefined,
  { run, force, inputs }: ClaimOptions & { inputs: (string | undefined)[] },
  work: () => Promise<T>,
): Promise<T> {
  if (path === undefined) return work()
  if (!(await prepareOutputFile(path, inputs))) return work()
  const lock = await lockOutput(path)
  try {
    const other = (await findOtherRun(path, run, true)) ?? (await findOtherRun(partialBeside(path), run))
    if (!force && other !== null) throw conflict(other.path, [other])
    return await work()
  } finally {
    lock.release()
  }
}

function conflict(place: string, others: OtherRun[]): LayerpruneError {
  const [first] = others
  const rest = others.length > 1 ? `, and ${others.length - 1} more` : ''
  const where = first!.path === place ? place : `${place} holds the results of another run: ${basename(first!.path)}`
  const resume = others.some(({ isUnfinished }) => isUnfinished) ? '; the same flags and --resume continue it' : ''
  return new LayerpruneError(`${where} is ${first!.description}${rest}`, {
    hint: `name another place with --output, or replace what is there with --force${resume}`,
  })
}

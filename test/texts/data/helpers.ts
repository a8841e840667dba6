import { readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { LayerpruneError } from '../../../src/base/errors.js'
import { type DatasetRow, openDataset } from '../../../src/texts/data/dataset.js'
import type { DatasetOptions } from '../../../src/texts/data/dataset-options.js'

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

/** Reads a whole dataset; origins are cut to what follows `folder`. */
export async function readAll(folder: string, paths: string[], options: Partial<DatasetOptions> = {}) {
  const dataset = await openDataset({
    ...options,
    dataset: paths.map((path) => join(folder, path)),
  })
  const rows: DatasetRow[] = await collect(dataset.rows())
  return {
    texts: rows.map((row) => row.text),
    origins: rows.map((row) => row.origin.replace(`${folder}/`, '')),
    skipped: dataset.skipped,
  }
}

/** The one-line error a call ends in, without the folder's path. */
export async function readError(folder: string, paths: string[], options: Partial<DatasetOptions> = {}) {
  const error = await readAll(folder, paths, options).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof LayerpruneError)) throw new Error('expected a LayerpruneError', { cause: error })
  return { message: error.message.replaceAll(`${folder}/`, ''), hint: error.hint }
}

/** Bytes in pieces of `size`, so that every border between two bytes is a border between chunks for size 1. */
export async function* inPieces(content: string | Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(content)
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size)
}

/** The files under `folder` that this process holds open; undefined where the system does not tell. */
export async function listOpenFiles(folder: string): Promise<string[] | undefined> {
  const handles = await readdir('/proc/self/fd').catch(() => undefined)
  if (!handles) return undefined
  const targets = await Promise.all(handles.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')))
  return targets.filter((target) => target.startsWith(folder))
}

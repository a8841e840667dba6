import { UsageError } from '../errors.js'
import { listDataFiles } from './files.js'
import type { DataKind } from './kind.js'
import { readRows } from './read-rows.js'
import { type DataSource, openLocalSource } from './source.js'

export interface DatasetOptions {
  /** Files and folders; a folder is read in name order, recursively, its files of a known kind only. */
  paths: string[]
  /** The column that holds the text; plain text files have none. */
  column: string
  /** Plain text: a document a line instead of a document a file. */
  textLines?: boolean | undefined
  /** At most this many texts, counted after empty rows and rows without text are passed over. */
  limit?: number | undefined
  signal?: AbortSignal | undefined
}

export interface DatasetRow {
  text: string
  /** Where it came from, for messages: `kjv.jsonl:12`, 1-based line or row; the file alone for a document. */
  origin: string
}

export interface Dataset {
  /** As the user named it. */
  id: string
  column: string
  /** Rows passed over so far by the latest `rows()`: without a visible character, or no string at all. */
  skipped: { empty: number; notText: number }
  /**
   * The texts, read as they are asked for, from the beginning at each call.
   * Ending early closes the file that is being read.
   * @throws LayerpruneError, with file and line or row, where a file is not what its name says
   * @throws the signal's reason once it is aborted
   */
  rows(): AsyncGenerator<DatasetRow>
}

interface DatasetFile {
  source: DataSource
  kind: DataKind
}

/**
 * Opens a dataset on disk: JSON Lines, JSON, CSV, TSV, plain text and parquet, all but the last also gzipped.
 * Finds the files and checks their names; what is in them shows while they are read. Memory holds one row and
 * one chunk of a file (for parquet, one column chunk of a row group), however large the dataset.
 * @throws LayerpruneError where a path is missing, of an unknown kind, or a folder without data
 */
export async function openDataset(options: DatasetOptions): Promise<Dataset> {
  const { paths, limit } = options
  if (paths.length === 0) throw new UsageError('no dataset: expected at least one file or folder')
  if (limit !== undefined && !(Number.isInteger(limit) && limit > 0)) {
    throw new UsageError(`dataset size: expected a whole number above 0, found ${limit}`)
  }
  const files = await listDataFiles(paths)
  return createDataset(
    paths.join(', '),
    files.map(({ path, kind }) => ({ source: openLocalSource(path, path), kind })),
    options,
  )
}

/** A dataset over files from anywhere, on disk or not. */
export function createDataset(
  id: string,
  files: DatasetFile[],
  { column, textLines = false, limit, signal }: Omit<DatasetOptions, 'paths'>,
): Dataset {
  const skipped = { empty: 0, notText: 0 }

  async function* rows(): AsyncGenerator<DatasetRow> {
    skipped.empty = 0
    skipped.notText = 0
    let texts = 0
    for (const { source, kind } of files) {
      signal?.throwIfAborted()
      for await (const { value, position } of readRows(abortable(source), kind, { column, textLines })) {
        signal?.throwIfAborted()
        if (typeof value !== 'string') skipped.notText++
        else if (!/\S/.test(value)) skipped.empty++
        else {
          yield { text: value, origin: position === undefined ? source.name : `${source.name}:${position}` }
          if (++texts === limit) return
        }
      }
    }
  }

  function abortable(source: DataSource): DataSource {
    if (!signal) return source
    return {
      ...source,
      async *readBytes() {
        for await (const chunk of source.readBytes()) {
          signal.throwIfAborted()
          yield chunk
        }
      },
    }
  }

  return { id, column, skipped, rows }
}

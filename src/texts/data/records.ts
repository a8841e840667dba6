import { relative, resolve, sep } from 'node:path'
import { LayerpruneError } from '../../base/errors.js'
import { agree } from '../../files/hub/address.js'
import type { DatasetOptions } from './dataset-options.js'
import { listDataFiles } from './files.js'
import { findHubDataset } from './hub-dataset.js'
import { readJson } from './json.js'
import { readJsonl } from './jsonl.js'
import type { DatasetFile } from './kind.js'
import { readParquetRecords } from './parquet/records.js'
import { unpack } from './read-rows.js'
import { openLocalSource } from './source.js'

/** A row of a dataset with all its fields, and where it came from: `test.jsonl:12`, 1-based line or row. */
export interface DataRecord {
  fields: Record<string, unknown>
  origin: string
}

export interface RecordsOptions extends Pick<DatasetOptions, 'datasetConfig' | 'signal' | 'onNote'> {
  /** Files, or a folder whose files are named after their splits, or the id of a dataset on the Hub. */
  dataset: string | string[]
  /** Split that is read; with a list of files all of them are. */
  split: string
}

/**
 * Reads the rows of one split of a dataset, whole, in the order of the dataset.
 *
 * In a folder the files of the split are those named after it, or in a folder named after it: `test.jsonl`,
 * `test-00000-of-00001.parquet`. If the folder has one named after the configuration, that is looked into.
 * @throws LayerpruneError if there is no such split, or a file is not JSON, JSON Lines or Parquet, or is damaged
 */
export async function* readRecords(options: RecordsOptions): AsyncGenerator<DataRecord> {
  for await (const file of await listSplit(options)) {
    options.signal?.throwIfAborted()
    yield* readFile(file, options.signal)
  }
}

async function listSplit(options: RecordsOptions): Promise<Iterable<DatasetFile> | AsyncIterable<DatasetFile>> {
  const { dataset, datasetConfig, split } = options
  if (Array.isArray(dataset)) return openFiles(await listDataFiles(dataset))
  const asked = await findHubDataset({ dataset, datasetConfig })
  if (asked !== undefined) {
    const datasetSplit = agree('the split', asked.datasetSplit, split)
    const { openDatasetRepo } = await import('./hub/dataset-repo.js')
    return (await openDatasetRepo(asked.id, { ...options, ...asked, datasetSplit })).files
  }
  const files = await listDataFiles([dataset])
  if (files.length === 1 && resolve(files[0]!.path) === resolve(dataset)) return openFiles(files)
  const partsOf = (path: string) => relative(dataset, path).split(sep)
  const ofConfig = files.filter(({ path }) => partsOf(path)[0] === datasetConfig)
  const candidates = ofConfig.length > 0 ? ofConfig : files
  const isOfSplit = (part: string) => part === split || /^[-._]/.test(part.slice(split.length))
  const found = candidates.filter(({ path }) => partsOf(path).some((part) => part.startsWith(split) && isOfSplit(part)))
  if (found.length > 0) return openFiles(found)
  const shown = candidates.slice(0, 5).map(({ path }) => partsOf(path).join('/'))
  throw new LayerpruneError(`${dataset} has no file of the split ${split}: found ${shown.join(', ')}`, {
    hint: `name it after the split, for example ${split}.jsonl`,
  })
}

function openFiles(files: Awaited<ReturnType<typeof listDataFiles>>): DatasetFile[] {
  return files.map(({ path, kind }) => ({ source: openLocalSource(path, path), kind }))
}

async function* readFile({ source, kind }: DatasetFile, signal?: AbortSignal | undefined): AsyncGenerator<DataRecord> {
  const { name } = source
  const { format, packing } = kind
  if (format === 'parquet') {
    let row = 0
    for await (const fields of readParquetRecords(source)) yield { fields, origin: `${name}:${++row}` }
    return
  }
  if (format !== 'json' && format !== 'jsonl') {
    throw new LayerpruneError(`${name}: documents of a task are read from JSON, JSON Lines or Parquet`, {
      hint: 'CSV and text do not say which fields are numbers or lists: convert the file',
    })
  }
  const read = format === 'json' ? readJson : readJsonl
  for await (const { value, position } of read(unpack(source, packing, signal), { name, column: null })) {
    yield { fields: value as Record<string, unknown>, origin: `${name}:${position}` }
  }
}

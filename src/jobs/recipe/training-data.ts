import { stat } from 'node:fs/promises'
import { UsageError } from '../../base/errors.js'
import { nameOption } from '../../base/name-option.js'
import { DEFAULT_COLUMN } from '../../texts/data/dataset.js'
import type { DatasetOptions } from '../../texts/data/dataset-options.js'
import { listDataFiles } from '../../texts/data/files.js'
import { findHubDataset } from '../../texts/data/hub-dataset.js'
import { describePiped, isPiped } from '../../texts/data/piped.js'
import type { HealingSettings } from './settings.js'

/** Texts to train on, as Python's `datasets` loads them. */
export type TrainingData =
  | { from: 'files'; loader: 'json' | 'csv' | 'text' | 'parquet'; files: string[]; column: string }
  | { from: 'hub'; id: string; config: string | null; split: string; column: string }

export type TrainingDataOptions = Pick<DatasetOptions, 'dataset' | 'datasetColumn' | 'datasetConfig' | 'datasetSplit'>

const LOADERS = {
  jsonl: 'json',
  json: 'json',
  csv: 'csv',
  text: 'text',
  parquet: 'parquet',
  tsv: null,
} as const

/**
 * Names a dataset in the words of `datasets`: files and folders, or the id of one on the Hub.
 * @throws UsageError if files are of several kinds, or of one that it has no loader for
 * @throws LayerpruneError if files cannot be found
 */
export async function nameTrainingData(options: TrainingDataOptions): Promise<TrainingData> {
  const { dataset, datasetColumn: column = DEFAULT_COLUMN } = options
  const paths = [dataset].flat()
  if (column.includes(',')) {
    throw new UsageError(`${nameOption('datasetColumn', column)}: the script of a recipe reads one column`, {
      hint: 'write the joined texts to a JSON Lines file, or train with layerprune heal',
    })
  }
  const asked = await findHubDataset(options)
  if (asked !== undefined) {
    const { id, datasetConfig: config = null, datasetSplit: split = 'train', datasetRevision } = asked
    if (datasetRevision === undefined) return { from: 'hub', id, config, split, column }
    throw new UsageError(`a recipe reads the latest revision of a dataset, but ${dataset} names ${datasetRevision}`)
  }
  for (const path of paths) {
    if (!(await isPiped(path))) continue
    throw new UsageError(`a recipe names its texts for a later run, but ${describePiped(path)} can be read only now`, {
      hint: 'save them to a file and name that',
    })
  }
  const found = await listDataFiles(paths)
  const files = found.map(({ path }) => path)
  const loaders = new Set(found.map(({ kind }) => LOADERS[kind.format]))
  const [loader, other] = loaders
  if (other !== undefined || loader === undefined || loader === null) {
    throw new UsageError(
      `the training data must be of one kind of jsonl, json, csv, text or parquet, found ${files.slice(0, 3).join(', ')}`,
      { hint: 'name files of one kind with `dataset`' },
    )
  }
  // the column in which datasets puts the lines of a text file
  return { from: 'files', loader, files, column: loader === 'text' ? 'text' : column }
}

/** For English text with the usual tokenizers. */
const BYTES_PER_TOKEN = 4

/** About how often a training reads its texts, by file size; null for a dataset on the Hub or compressed files. */
export async function estimateEpochs(
  data: TrainingData,
  { steps, batchSize, maxLength }: Pick<HealingSettings, 'steps' | 'batchSize' | 'maxLength'>,
): Promise<number | null> {
  if (data.from !== 'files' || data.loader === 'parquet') return null
  if (data.files.some((file) => /\.(gz|zst)$/.test(file))) return null
  const sizes = await Promise.all(data.files.map(async (file) => (await stat(file)).size))
  const bytes = sizes.reduce((sum, size) => sum + size, 0)
  return bytes === 0 ? null : (steps * batchSize * maxLength * BYTES_PER_TOKEN) / bytes
}

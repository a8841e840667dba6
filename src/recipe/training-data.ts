import { isHubDataset, listDataFiles } from '../data/files.js'
import { UsageError } from '../errors.js'

/** Texts to train on, as Python's `datasets` loads them. */
export type TrainingData =
  | { from: 'files'; loader: 'json' | 'csv' | 'text' | 'parquet'; files: string[]; column: string }
  | { from: 'hub'; id: string; config: string | null; split: string; column: string }

interface TrainingDataOptions {
  dataset: string[]
  column: string
  config?: string | undefined
  split?: string | undefined
}

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
export async function nameTrainingData({
  dataset,
  column,
  config,
  split = 'train',
}: TrainingDataOptions): Promise<TrainingData> {
  const [first, another] = dataset
  if (first !== undefined && another === undefined && (await isHubDataset(first))) {
    return { from: 'hub', id: first, config: config ?? null, split, column }
  }
  const files = await listDataFiles(dataset)
  const paths = files.map(({ path }) => path)
  const loaders = new Set(files.map(({ kind }) => LOADERS[kind.format]))
  const [loader, other] = loaders
  if (other !== undefined || loader === undefined || loader === null) {
    throw new UsageError(
      `the training data must be of one kind of jsonl, json, csv, text or parquet, found ${paths.slice(0, 3).join(', ')}`,
      { hint: 'name files of one kind with --dataset' },
    )
  }
  // the column in which datasets puts the lines of a text file
  return { from: 'files', loader, files: paths, column: loader === 'text' ? 'text' : column }
}

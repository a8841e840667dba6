import type { DataSource } from '../../files/byte-source.js'

export type DataFormat = 'jsonl' | 'json' | 'csv' | 'tsv' | 'text' | 'parquet'

export interface DataKind {
  format: DataFormat
  /** How the file is packed as a whole; null if it is not. */
  packing: 'gzip' | 'zstd' | null
  /** Plain text with one text per line, whatever the options say. */
  isLines?: true
}

export interface DatasetFile {
  source: DataSource
  kind: DataKind
  /** Omitted if it is not known before the file is read. */
  sizeBytes?: number
}

const FORMAT_BY_EXTENSION = new Map<string, DataFormat>([
  ['.jsonl', 'jsonl'],
  ['.ndjson', 'jsonl'],
  ['.json', 'json'],
  ['.csv', 'csv'],
  ['.tsv', 'tsv'],
  ['.txt', 'text'],
  ['.text', 'text'],
  ['.md', 'text'],
  ['.parquet', 'parquet'],
])

/** The names that can be read, for messages. */
export const KNOWN_KINDS = `${[...FORMAT_BY_EXTENSION.keys()].join(' ')}, each but .parquet also with .gz or .zst`

/** Files that describe a dataset folder and hold none of its rows. */
const DESCRIPTIONS = new Set([
  'readme.md',
  'readme.txt',
  'license.md',
  'license.txt',
  'dataset_dict.json',
  'dataset_info.json',
  'dataset_infos.json',
  'state.json',
])

/** The kind of a file by its name, in upper or lower case; undefined if we cannot read it. */
export function detectKind(fileName: string): DataKind | undefined {
  const [, name, suffix] = /^(.*?)(\.gz|\.zst)?$/s.exec(fileName.toLowerCase())!
  const packing = suffix === '.gz' ? 'gzip' : suffix === '.zst' ? 'zstd' : null
  const extension = /\.[^./\\]+$/.exec(name!)?.[0]
  const format = extension === undefined ? undefined : FORMAT_BY_EXTENSION.get(extension)
  if (!format || (packing !== null && format === 'parquet')) return undefined
  return { format, packing }
}

/** Whether a file found in a dataset folder is not data: hidden, or a card, licence or info file. */
export function isDescription(baseName: string): boolean {
  return baseName.startsWith('.') || DESCRIPTIONS.has(baseName.toLowerCase())
}

import { parsePattern } from './file-pattern.js'

/** What file and folder names call a split, in the order in which splits are looked for. */
const KEYWORDS = {
  train: ['train', 'training'],
  validation: ['validation', 'valid', 'dev', 'val'],
  test: ['test', 'testing', 'eval', 'evaluation'],
}
/** Separates a keyword from the rest of a name. */
const SEPARATORS = '[-._ 0-9]'

const inFolderName = (keyword: string) => [
  `**/${keyword}/**`,
  `**/${keyword}${SEPARATORS}*/**`,
  `**/*${SEPARATORS}${keyword}/**`,
  `**/*${SEPARATORS}${keyword}${SEPARATORS}*/**`,
]
const inFileName = (keyword: string) => [`**/${keyword}${SEPARATORS}*`, `**/*${SEPARATORS}${keyword}${SEPARATORS}*`]

/** Where a dataset keeps the numbered parts of its splits. */
export const SHARD_FOLDER = 'data'
const DIGITS = '[0-9][0-9][0-9][0-9][0-9]'

/** The split that a numbered part belongs to, by its path below the dataset's folder; undefined for others. */
export function findShardSplit(path: string): string | undefined {
  const [folder, name, ...deeper] = path.split('/')
  if (folder !== SHARD_FOLDER || name === undefined || deeper.length > 0) return undefined
  return /^(.+)-\d{5}-of-\d{5}.*\./s.exec(name)?.[1]
}

export function shardPattern(split: string): string {
  return `${SHARD_FOLDER}/${split}-${DIGITS}-of-${DIGITS}*.*`
}

/**
 * Finds the splits of a dataset that describes none, as Python's datasets does: by folders named after splits,
 * else by files named after them; else all files are the split train.
 * @param paths  all files below the dataset's folder
 * @returns patterns by split; empty if there are no files
 */
export function findDefaultSplits(paths: string[]): Map<string, string[]> {
  for (const patternsOf of [inFolderName, inFileName]) {
    const found = Object.entries(KEYWORDS)
      .map(([split, keywords]) => [split, keywords.flatMap(patternsOf)] as const)
      .filter(([, patterns]) => patterns.map(parsePattern).some(({ matches }) => paths.some(matches)))
    if (found.length > 0) return new Map(found)
  }
  return paths.some(parsePattern('**').matches) ? new Map([['train', ['**']]]) : new Map()
}

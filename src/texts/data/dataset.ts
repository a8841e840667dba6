import { UsageError } from '../../base/errors.js'
import { formatQuantity } from '../../base/format-numbers.js'
import { nameOption } from '../../base/name-option.js'
import { type Random, shuffleInPlace } from '../../base/random.js'
import type { DataSource } from '../../files/byte-source.js'
import { isChat } from './columns.js'
import { estimateTexts, FileCount, type TextTotal } from './count-texts.js'
import type { DatasetName, DatasetOptions } from './dataset-options.js'
import { listDataFiles } from './files.js'
import { DEFAULT_SPLIT, findHubDataset, type HubDataset } from './hub-dataset.js'
import type { DatasetFile } from './kind.js'
import { isPiped, openPiped } from './piped.js'
import { readRows } from './read-rows.js'
import type { DataRow, ReadOrder } from './row.js'
import { type DatasetShare, mixRows, readShares } from './shares.js'
import { shuffleRows } from './shuffle.js'
import { openLocalSource } from './source.js'
import { startAhead } from './start-ahead.js'
import { hashText } from './text-hashes.js'
import { isAddress, openWebFile, publicNameOf } from './web-file.js'

/** What a dataset needs from those who read it. */
export interface ReadingOptions {
  /** Writes a chat as one text with special tokens; undefined if a part is no text. Without it, chats are skipped. */
  writeChat?: ((chat: unknown[], origin: string) => Promise<string | undefined>) | undefined
  /** Hashes of texts to leave out, as `hashText` makes them; `datasetSize` does not count them. */
  leftOutHashes?: ReadonlySet<string> | undefined
  /** Stored rows to skip, with or without text, in reading order; whole Parquet row groups are not downloaded. */
  skipRows?: number | undefined
}

export const DEFAULT_COLUMN = 'text'

export interface DatasetRow {
  text: string
  /** Where it came from, for messages: `kjv.jsonl:12`, 1-based line or row; the file alone for a document. */
  origin: string
  /** False if the text has the special tokens in it that the tokenizer would add. */
  addSpecialTokens?: false
}

/** A text with its name among others, as `hashText` makes it. */
export interface HashedRow extends DatasetRow {
  hash: string
}

export interface Dataset extends DatasetName {
  column: string
  /** Rows skipped so far by the latest `rows()`: without a visible character, or not a string at all. */
  skipped: { empty: number; notText: number }
  /** Texts so far of the latest `rows()`, as results record them. */
  read(): ReadTexts
  /**
   * The texts, read as they are requested, from the beginning at each call.
   * Ending early closes the file that is being read.
   * @throws LayerpruneError, with file and line or row, if the content of a file is not what its name says
   * @throws the signal's reason once it is aborted
   */
  rows(): AsyncGenerator<HashedRow>
  /** How many texts `rows()` will yield, by what it has read so far; null while that is not known. */
  countTexts(): TextTotal | null
}

export interface ReadTexts {
  /** Position in the dataset after the last text, of texts alone and in reading order. */
  end: number
  /** Texts that were left out. */
  leftOut: number
  /** Hashes of the texts that were read, one after another, as `hashText` makes them. */
  hashes: string
}

/**
 * Opens a dataset on disk: JSON Lines, JSON, CSV, TSV, plain text and Parquet, all but the last also packed with
 * gzip or Zstandard; or a dataset on the Hub, which is streamed.
 * Finds the files and checks their names; their content is checked as they are read. Memory holds one row and
 * one chunk of a file (for Parquet, one page of the column), however large the dataset.
 * @throws UsageError if the options contradict each other
 * @throws LayerpruneError if a path is missing, of an unknown kind, or a folder without data, or the Hub's
 *   dataset is not available
 */
export async function openDataset(options: DatasetOptions & ReadingOptions): Promise<Dataset> {
  const { datasetSize, datasetSkip, shuffle } = options
  const paths = [options.dataset].flat()
  if (paths.length === 0) throw new UsageError('no dataset: expected at least one file or folder')
  if (datasetSize !== undefined && !(Number.isInteger(datasetSize) && datasetSize > 0)) {
    throw new UsageError(`dataset size: expected a whole number above 0, found ${datasetSize}`)
  }
  if (datasetSkip !== undefined && !(Number.isSafeInteger(datasetSkip) && datasetSkip >= 0)) {
    throw new UsageError(`dataset skip must be a whole number of at least 0, found ${datasetSkip}`)
  }
  if (shuffle !== undefined && !(Number.isSafeInteger(shuffle) && shuffle >= 0)) {
    throw new UsageError(`shuffle: expected a whole number as seed, found ${shuffle}`)
  }
  const shares = readShares(paths)
  if (shares !== undefined) return openMix(paths, shares, options)
  const asked = await findHubDataset(options)
  if (asked !== undefined) {
    const { files, ...name } = await openRepo(asked, options)
    return createDataset(name, files, { ...options, textLines: true })
  }
  assertNoHubOptions(paths, options)
  return createDataset(nameFiles(paths), await openFiles(paths, options), options)
}

async function openMix(paths: string[], shares: DatasetShare[], options: ReadOptions): Promise<Dataset> {
  const { datasetRevision, textLines = false } = options
  const onHub = await Promise.all(shares.map(({ id }) => findHubDataset({ ...options, dataset: id })))
  if (onHub.every((asked) => asked === undefined)) assertNoHubOptions(paths, options)
  if (datasetRevision !== undefined && shares.length > 1) {
    throw new UsageError(`${nameOption('datasetRevision', datasetRevision)}: ${shares.length} datasets are mixed`, {
      hint: 'a revision is of one dataset: mix them at their main branches, or download one of them first',
    })
  }
  const parts: DatasetPart[] = []
  const named: DatasetShare[] = []
  for (const [index, { id, share }] of shares.entries()) {
    const asked = onHub[index]
    if (asked !== undefined) {
      const { files, config, split, revision } = await openRepo(asked, options)
      parts.push({ id, share, files, textLines: true })
      named.push({ id, share, config, split, revision })
    } else {
      const name = publicNameOf(id)
      parts.push({ id: name, share, files: await openFiles([id], options), textLines })
      named.push({ id: name, share })
    }
  }
  return makeDataset({ ...nameFiles(paths), shares: named }, parts, options)
}

async function openRepo({ id, ...asked }: HubDataset, options: ReadOptions) {
  const { openDatasetRepo } = await import('./hub/dataset-repo.js')
  return openDatasetRepo(id, { ...options, ...asked, dataset: id })
}

function nameFiles(paths: string[]): DatasetName {
  return { id: paths.map(publicNameOf).join(', '), config: null, split: null, revision: null }
}

async function openFiles(paths: string[], options: ReadOptions): Promise<DatasetFile[]> {
  const opened: DatasetFile[] = []
  for (const path of paths) {
    if (await isPiped(path)) {
      opened.push(await openPiped(path, options.onNote))
      continue
    }
    if (isAddress(path)) {
      opened.push(await openWebFile(path, options))
      continue
    }
    const files = await listDataFiles([path])
    opened.push(...files.map(({ path, ...file }) => ({ ...file, source: openLocalSource(path, path) })))
  }
  return opened
}

/** Files on disk have no configurations and no revisions, and together are one split. */
function assertNoHubOptions(paths: string[], options: ReadOptions): void {
  const { datasetConfig, datasetSplit, datasetRevision } = options
  const files = `files on disk (${paths.map(publicNameOf).join(', ')})`
  if (datasetConfig !== undefined)
    throw new UsageError(`${nameOption('datasetConfig', datasetConfig)}: ${files} have no configurations`)
  if (datasetRevision !== undefined)
    throw new UsageError(`${nameOption('datasetRevision', datasetRevision)}: ${files} have no revisions`)
  if (datasetSplit !== undefined && datasetSplit !== DEFAULT_SPLIT) {
    throw new UsageError(`${nameOption('datasetSplit', datasetSplit)}: ${files} are the split train`, {
      hint: 'name the files of the split you want with `dataset`',
    })
  }
}

type ReadOptions = Omit<DatasetOptions, 'dataset'> & ReadingOptions
type FileList = Iterable<DatasetFile> | AsyncIterable<DatasetFile>

/** A dataset over files from anywhere, on disk or not, which may be listed while the first of them are read. */
export function createDataset(name: DatasetName, files: FileList, options: ReadOptions): Dataset {
  const { textLines = false } = options
  return makeDataset(name, [{ id: name.id, share: 1, files, textLines }], options)
}

/** Files of which a share of the texts is taken. */
interface DatasetPart extends DatasetShare {
  files: FileList
  /** Whether plain text files hold one document per line. */
  textLines: boolean
}

function makeDataset(name: DatasetName, parts: DatasetPart[], options: ReadOptions): Dataset {
  const reader = new DatasetReader(parts, options)
  return {
    ...name,
    column: reader.column,
    skipped: reader.skipped,
    read: () => reader.read(),
    rows: () => reader.readTexts(),
    countTexts: () => reader.countTexts(),
  }
}

interface SourcedRow extends DataRow {
  source: DataSource
}

/** Chats written at a time at most. */
const CHATS_AHEAD = 32

/** Reads the texts of files in the order that the options ask for. */
class DatasetReader {
  readonly column: string
  readonly skipped = { empty: 0, notText: 0 }
  readonly #parts: DatasetPart[]
  readonly #options: ReadOptions
  /** One for each opened file. */
  #counts: FileCount[] = []
  /** Of each text that was read. */
  #hashes: string[] = []
  /** Position after the last text. */
  #end = 0
  #leftOut = 0
  #isAtEnd = false

  constructor(parts: DatasetPart[], options: ReadOptions) {
    this.column = options.datasetColumn ?? DEFAULT_COLUMN
    this.#parts = parts
    this.#options = options
  }

  async *readTexts(): AsyncGenerator<HashedRow> {
    const { datasetSize, datasetSkip = 0, leftOutHashes, signal } = this.#options
    this.skipped.empty = 0
    this.skipped.notText = 0
    this.#counts = []
    this.#hashes = []
    this.#end = 0
    this.#leftOut = 0
    this.#isAtEnd = false
    for await (const read of this.#readAhead()) {
      signal?.throwIfAborted()
      if (read === undefined) this.skipped.notText++
      else if (!isText(read.text)) this.skipped.empty++
      else if (++this.#end > datasetSkip) {
        const hash = hashText(read.text)
        if (leftOutHashes?.has(hash)) {
          this.#leftOut++
          continue
        }
        this.#hashes.push(hash)
        yield { ...read, hash }
        if (this.#hashes.length === datasetSize) break
      }
    }
    this.#isAtEnd = true
  }

  read(): ReadTexts {
    return { end: this.#end, leftOut: this.#leftOut, hashes: this.#hashes.join('') }
  }

  countTexts(): TextTotal | null {
    const read = this.#hashes.length
    if (this.#isAtEnd) return { texts: read, isEstimate: false }
    const { datasetSize = Infinity, datasetSkip = 0 } = this.#options
    const totalBytes = this.#sumBytes()
    const stored = totalBytes === null ? null : estimateTexts(this.#counts, totalBytes)
    const found = stored === null ? Infinity : stored - datasetSkip - this.#leftOut
    if (found < datasetSize) return { texts: Math.max(found, read), isEstimate: true }
    return datasetSize === Infinity ? null : { texts: datasetSize, isEstimate: false }
  }

  /** Bytes of all files; null if they are not known, or only a part of them is read. */
  #sumBytes(): number | null {
    const [{ files }, ...others] = this.#parts as [DatasetPart, ...DatasetPart[]]
    if (others.length > 0 || !Array.isArray(files)) return null
    let bytes = 0
    for (const { sizeBytes } of files as DatasetFile[]) {
      if (sizeBytes === undefined) return null
      bytes += sizeBytes
    }
    return bytes || null
  }

  /** Several chats are written at a time, but no row is read that might not be needed: it may be long in coming. */
  #readAhead(): AsyncGenerator<DatasetRow | undefined> {
    const { datasetSize = Infinity } = this.#options
    const most = ({ value }: SourcedRow) =>
      isChat(value) ? Math.max(1, Math.min(CHATS_AHEAD, datasetSize - this.#hashes.length)) : 1
    return startAhead(this.#readInOrder(), (row) => this.#readText(row), most)
  }

  /** @returns undefined for a row that is neither a text nor a chat */
  #readText({ value, position, source }: SourcedRow): DatasetRow | undefined | Promise<DatasetRow | undefined> {
    const { writeChat } = this.#options
    const origin = position === undefined ? source.name : `${source.name}:${position}`
    if (typeof value === 'string') return { text: value, origin }
    if (writeChat === undefined || !isChat(value)) return undefined
    return writeChat(value, origin).then((text) =>
      text === undefined ? undefined : { text, origin, addSpecialTokens: false },
    )
  }

  #readInOrder(): AsyncGenerator<SourcedRow> {
    const { shuffle, skipRows = 0 } = this.#options
    const [part, ...others] = this.#parts as [DatasetPart, ...DatasetPart[]]
    const skip = { rows: skipRows }
    if (others.length > 0) return skipFirst(this.#readMixed(), skipRows)
    return shuffle === undefined
      ? this.#readOneByOne(part, skip)
      : skipFirst(this.#readShuffled(part, shuffle), skipRows)
  }

  #readMixed(): AsyncGenerator<SourcedRow> {
    const { shuffle, onNote } = this.#options
    const sources = this.#parts.map((part) => ({
      share: part.share,
      rows: shuffle === undefined ? this.#readOneByOne(part) : this.#readShuffled(part, shuffle),
    }))
    return mixRows(
      sources,
      ({ value }) => isText(value) || isChat(value),
      (part, texts) =>
        onNote?.(
          `the dataset ends with the ${formatQuantity(texts, 'text')} of ${this.#parts[part]!.id}, to keep the shares`,
        ),
    )
  }

  async *#readOneByOne(part: DatasetPart, skip = { rows: 0 }): AsyncGenerator<SourcedRow> {
    for await (const file of part.files) {
      this.#options.signal?.throwIfAborted()
      yield* this.#readFile(file, part, { skip })
    }
  }

  #readShuffled(part: DatasetPart, seed: number): AsyncGenerator<SourcedRow> {
    const open = (file: DatasetFile, random: Random) =>
      this.#readFile(file, part, { shuffle: (count) => shuffleInPlace([...Array(count).keys()], random) })
    return shuffleRows(part.files, open, seed)
  }

  async *#readFile(
    { source, kind, sizeBytes }: DatasetFile,
    { textLines }: DatasetPart,
    order: ReadOrder,
  ): AsyncGenerator<SourcedRow> {
    const { column } = this
    // the size of a pipe or a stream is not known
    const count = sizeBytes === undefined ? undefined : new FileCount(sizeBytes, kind.packing !== null)
    if (count !== undefined) this.#counts.push(count)
    const onRows = (rows: number) => count?.setRows(rows)
    for await (const row of readRows(count?.watch(source) ?? source, kind, {
      column,
      textLines,
      ...order,
      signal: this.#options.signal,
      onRows,
    })) {
      if (isText(row.value) || isChat(row.value)) count?.addText(row.value, row.position)
      yield { ...row, source }
    }
    count?.end()
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && /\S/.test(value)
}

async function* skipFirst(rows: AsyncGenerator<SourcedRow>, count: number): AsyncGenerator<SourcedRow> {
  let left = count
  for await (const row of rows) {
    if (left > 0) left--
    else yield row
  }
}

import {
  listFittedTexts,
  listUsedTexts,
  recordTexts,
  type TextRecord,
  type TextUses,
} from '../../results/documents/text-uses.js'
import { type Dataset, type HashedRow, openDataset, type ReadingOptions } from '../../texts/data/dataset.js'
import type { DatasetOptions } from '../../texts/data/dataset-options.js'
import { splitHashes } from '../../texts/data/text-hashes.js'
import { takeScoredTexts } from '../../texts/tokens/scored-texts.js'
import type { Encode } from '../../texts/tokens/tokenizer.js'
import type { ReadText } from '../../texts/tokens/windows.js'

/** A dataset of which texts are taken one set after another. */
export interface TextSource {
  dataset: Dataset
  rows: AsyncGenerator<HashedRow>
  /** Read, but not taken yet: these come before the other rows. */
  passed: HashedRow[]
  /** Texts to skip at its start, and the seed of its order. */
  order: { datasetSkip?: number | undefined; shuffle?: number | undefined }
}

/** For a dataset that is only measured on: it is read from its beginning, as far as texts are asked for. */
export const ALL_TEXTS = { datasetSize: undefined, datasetSkip: undefined }

/** Opens a dataset to take texts from; throws as `openDataset`. */
export async function openTextSource(options: DatasetOptions & ReadingOptions): Promise<TextSource> {
  const dataset = await openDataset(options)
  return { dataset, rows: dataset.rows(), passed: [], order: options }
}

export interface TakeOptions {
  encode: Encode
  maxLength: number
  /** Hashes of texts that are not taken. */
  leaveOut?: ReadonlySet<string>
}

export interface TakenTexts {
  texts: ReadText[]
  record: TextRecord
  /** Texts that were passed by because of `leaveOut`; they are taken next. */
  leftOut: number
}

/** Takes the next texts that have a token to score. */
async function takeTexts(
  source: TextSource,
  count: number,
  { encode, maxLength, leaveOut = new Set() }: TakeOptions,
): Promise<TakenTexts> {
  const { dataset, rows, order } = source
  const again = source.passed.splice(0)
  const start = again.length > 0 ? (order.datasetSkip ?? 0) : Math.max(dataset.read().end, order.datasetSkip ?? 0)
  const hashes: string[] = []
  const accepts = (row: HashedRow) => {
    const isLeftOut = leaveOut.has(row.hash)
    if (isLeftOut) source.passed.push(row)
    else hashes.push(row.hash)
    return !isLeftOut
  }
  const texts = await takeScoredTexts(takeFirst(again, rows), count, encode, maxLength, accepts)
  const leftOut = source.passed.length
  source.passed.push(...again)
  return { texts, record: describe(source, start, hashes), leftOut }
}

/**
 * Takes the next texts, without those that the layers were chosen on if there are others.
 * @param apart  texts that are not taken in any case
 */
export async function takeUnusedTexts(
  source: TextSource,
  count: number,
  uses: TextUses | undefined,
  { apart = new Set(), ...options }: Omit<TakeOptions, 'leaveOut'> & { apart?: ReadonlySet<string> },
): Promise<TakenTexts & { isReused: boolean }> {
  const without = (used: ReadonlySet<string>) =>
    takeTexts(source, count, { ...options, leaveOut: new Set([...used, ...apart]) })
  const taken = await without(listUsedTexts(uses))
  if (taken.texts.length > 0) return { ...taken, isReused: false }
  return { ...(await without(listFittedTexts(uses))), isReused: true }
}

/**
 * Takes the texts of an earlier measurement, wherever they are among the first of the dataset, so that figures compare.
 * @returns undefined if they are not all there; what was read is then taken next
 */
export async function takeSameTexts(
  source: TextSource,
  { end, hashes }: TextRecord,
  { encode, maxLength }: TakeOptions,
): Promise<TakenTexts | undefined> {
  const { dataset, rows, order } = source
  const asked = splitHashes(hashes)
  const missing = new Set(asked)
  const found = new Map<string, HashedRow>()
  while (missing.size > 0 && dataset.read().end < end) {
    const { value, done } = await rows.next()
    if (done) break
    if (missing.delete(value.hash)) found.set(value.hash, value)
    else source.passed.push(value)
  }
  if (missing.size > 0) {
    source.passed.push(...found.values())
    return undefined
  }
  const texts = await takeScoredTexts(takeFirst([...found.values()], rows), found.size, encode, maxLength, () => true)
  return { texts, record: describe(source, order.datasetSkip ?? 0, asked), leftOut: 0 }
}

/** The rows of a source that were not taken. */
export function restOf({ passed, rows }: TextSource): AsyncGenerator<HashedRow> {
  return takeFirst(passed.splice(0), rows)
}

function describe({ dataset, order }: TextSource, start: number, hashes: string[]): TextRecord {
  const { id, column } = dataset
  const { end } = dataset.read()
  return { ...recordTexts({ id, column, end, hashes: hashes.join('') }, order)!, start }
}

/** Rows that were read before, then the others; both lists lose what is taken. */
async function* takeFirst(passed: HashedRow[], rows: AsyncGenerator<HashedRow>): AsyncGenerator<HashedRow> {
  while (passed.length > 0) yield passed.shift()!
  // not delegated: the rows stay open when this generator ends
  while (true) {
    const { value, done } = await rows.next()
    if (done) return
    yield value
  }
}

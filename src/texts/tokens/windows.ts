import { chunk } from '../../base/chunk.js'
import type { DatasetRow } from '../data/dataset.js'
import type { Encode } from './tokenizer.js'

/** A text as the model reads it. */
export interface EncodedText {
  /** Token ids, at least one. */
  ids: number[]
  /** Where the text came from, for messages. */
  origin: string
  /** If it is several texts that begin alike. */
  tree?: PrefixTreePlaces
}

/** Where the tokens of a prefix tree are; `graph/tree-attention.ts` says how it is written. */
export interface PrefixTreePlaces {
  /** For each token, how many precede it on the way from the root. */
  positions: number[]
  /** For each token, the place of the first later token that does not see it. */
  seenUntil: number[]
}

/** An encoded text without the text itself, which may be much longer than what is read of it. */
export interface ReadText extends EncodedText {
  /** UTF-8 bytes of the whole text. */
  sizeBytes: number
}

/** Texts that follow each other in the dataset, in batches of similar length, longest first. */
export interface TextWindow<Row extends DatasetRow = DatasetRow> {
  batches: ReadText[][]
  /** The last row of the window. */
  last: Row
  /** Texts without a token, which are in no batch. */
  tokenless: number
}

/** Batches looked at together when texts of similar length are put side by side. */
export const WINDOW_BATCHES = 16

/** Tokens read of each text unless the user says otherwise, or the model takes fewer. */
export const DEFAULT_MAX_LENGTH = 1024

export interface BatchOptions {
  batchSize: number
  /** Tokens. */
  maxLength: number
}

/**
 * Tokenises texts and groups them into batches of similar length within a window of a few batches: padding
 * stays small, and which texts are used does not change. After a window the texts measured are those from the start
 * of the dataset, short and long.
 * @param windowBatches  batches of the window that follows a row, or nothing
 */
export async function* windowTexts<Row extends DatasetRow>(
  rows: AsyncIterable<Row>,
  encode: Encode,
  { batchSize, maxLength }: BatchOptions,
  windowBatches: (last: Row | undefined) => number = () => WINDOW_BATCHES,
): AsyncGenerator<TextWindow<Row>> {
  let texts: ReadText[] = []
  let asked: Promise<ReadText>[] = []
  let tokenless = 0
  let last: Row | undefined
  let size = batchSize * windowBatches(last)
  const takeAsked = async () => {
    const answered = await Promise.all(asked)
    asked = []
    const withTokens = answered.filter(({ ids }) => ids.length > 0)
    tokenless += answered.length - withTokens.length
    texts.push(...withTokens)
  }
  const close = (row: Row) => ({ batches: splitByLength(texts, batchSize), last: row, tokenless })
  for await (const row of rows) {
    last = row
    const text = readText(row, encode, maxLength)
    text.catch(() => {})
    asked.push(text)
    if (texts.length + asked.length < size) continue
    await takeAsked()
    if (texts.length < size) continue
    yield close(row)
    texts = []
    tokenless = 0
    size = batchSize * windowBatches(row)
  }
  await takeAsked()
  if (last !== undefined && texts.length + tokenless > 0) yield close(last)
}

export async function readText(
  { text, origin, addSpecialTokens }: DatasetRow,
  encode: Encode,
  maxLength: number,
): Promise<ReadText> {
  const sizeBytes = Buffer.byteLength(text)
  return { ids: await encode(text, maxLength, addSpecialTokens), origin, sizeBytes }
}

/** Batches of texts of similar length, longest first. */
export function splitByLength(texts: ReadText[], batchSize: number): ReadText[][] {
  const sorted = texts.toSorted((a, b) => b.ids.length - a.ids.length)
  return chunk(sorted, batchSize)
}

/** Tokens of the longest of some texts. */
export function longestOf(texts: Pick<EncodedText, 'ids'>[]): number {
  return Math.max(...texts.map(({ ids }) => ids.length))
}

import type { PlacedRow, ReadPosition } from './placed-rows.js'
import type { EncodeAnywhere } from './tokenizer.js'

/** A text as the model reads it. */
export interface EncodedText {
  /** Token ids, at least one. */
  ids: number[]
  /** Where the text came from, for messages. */
  origin: string
}

/** An encoded text without the text itself, which may be much longer than what is read of it. */
export interface ReadText extends EncodedText {
  /** Of the whole text, in UTF-8. */
  sizeBytes: number
}

/** Texts that follow each other in the dataset, in batches of similar length, longest first. */
export interface TextWindow {
  batches: ReadText[][]
  /** After the last text of the window. */
  end: ReadPosition
  /** Texts without a token, which are in no batch. */
  tokenless: number
}

/** Batches looked at together when texts of similar length are put side by side. */
export const WINDOW_BATCHES = 16

export interface WindowOptions {
  batchSize: number
  /** Tokens. */
  maxLength: number
  /** Batches in the window that starts after this many texts of the dataset. */
  windowBatches: (rows: number) => number
}

/**
 * Tokenises texts and groups them into batches of similar length within a window of a few batches: padding
 * stays small, and which texts are used does not change. A window depends only on where it starts, so that a
 * run can be resumed there; after it, all texts from the start of the dataset are measured, short and
 * long.
 * @param start  where the first window starts
 */
export async function* windowTexts(
  rows: AsyncIterable<PlacedRow>,
  start: ReadPosition,
  encode: EncodeAnywhere,
  { batchSize, maxLength, windowBatches }: WindowOptions,
): AsyncGenerator<TextWindow> {
  let texts: ReadText[] = []
  let asked: Promise<ReadText>[] = []
  let tokenless = 0
  let size = batchSize * windowBatches(start.rows)
  let last = start
  const read = async ({ text, origin }: PlacedRow): Promise<ReadText> => {
    const sizeBytes = Buffer.byteLength(text)
    return { ids: await encode(text, maxLength), origin, sizeBytes }
  }
  const takeAsked = async () => {
    const answered = await Promise.all(asked)
    asked = []
    const withTokens = answered.filter(({ ids }) => ids.length > 0)
    tokenless += answered.length - withTokens.length
    texts.push(...withTokens)
  }
  const close = (): TextWindow => ({ batches: splitByLength(texts, batchSize), end: last, tokenless })
  for await (const row of rows) {
    last = row.end
    const text = read(row)
    text.catch(() => {})
    asked.push(text)
    if (texts.length + asked.length < size) continue
    await takeAsked()
    if (texts.length < size) continue
    yield close()
    texts = []
    tokenless = 0
    size = batchSize * windowBatches(last.rows)
  }
  await takeAsked()
  if (texts.length + tokenless > 0) yield close()
}

function splitByLength(texts: ReadText[], batchSize: number): ReadText[][] {
  const sorted = texts.toSorted((a, b) => b.ids.length - a.ids.length)
  return Array.from({ length: Math.ceil(sorted.length / batchSize) }, (_, index) =>
    sorted.slice(index * batchSize, (index + 1) * batchSize),
  )
}

import { createHash } from 'node:crypto'
import { LayerpruneError } from '../../base/errors.js'
import type { Dataset, DatasetRow } from '../data/dataset.js'
import { updateWithText } from '../data/text-hashes.js'

/** How far a dataset has been read. */
export interface ReadPosition {
  /** Texts read. */
  rows: number
  /** SHA-256 in hex over the digest of the texts before and the last text; empty before the first. */
  digest: string
  /** Rows without text that were skipped. */
  skipped: { empty: number; notText: number }
}

/** A text with the position after it. */
export interface PlacedRow extends DatasetRow {
  end: ReadPosition
}

/** Part `index` of `count` of a dataset, 1-based: the texts whose 0-based number leaves index - 1 over count. */
export interface Shard {
  index: number
  count: number
}

/** Whether a shard has the text, batch or other part of a number, 0-based. */
export function isInShard(number: number, { index, count }: Shard): boolean {
  return number % count === index - 1
}

export const DATASET_START: ReadPosition = { rows: 0, digest: '', skipped: { empty: 0, notText: 0 } }

export interface PlacedRowsOptions {
  /** Where the dataset starts: its beginning, or the position up to which it was opened to skip its rows. */
  opened?: ReadPosition
  /** Where an earlier run stopped: the texts up to there are read again, compared and skipped. */
  from?: ReadPosition
  /** The whole dataset if omitted. */
  shard?: Shard | undefined
}

/** Reads the texts of a dataset that a run still has to measure, and counts all that it passes. */
export class PlacedRows {
  /** After the last text read, whichever shard it belongs to. */
  position: ReadPosition
  readonly #dataset: Pick<Dataset, 'rows' | 'skipped'>
  readonly #opened: ReadPosition
  readonly #from: ReadPosition
  readonly #shard: Shard

  constructor(
    dataset: Pick<Dataset, 'rows' | 'skipped'>,
    { opened = DATASET_START, from = opened, shard = { index: 1, count: 1 } }: PlacedRowsOptions = {},
  ) {
    this.position = opened
    this.#dataset = dataset
    this.#opened = opened
    this.#from = from
    this.#shard = shard
  }

  /** @throws LayerpruneError if the texts before `from` are not those that the earlier run read */
  async *[Symbol.asyncIterator](): AsyncGenerator<PlacedRow> {
    this.position = this.#opened
    for await (const row of this.#dataset.rows()) {
      const number = this.position.rows
      const digest = extendDigest(this.position.digest, row.text)
      const end = { rows: number + 1, digest, skipped: this.#countSkipped() }
      this.position = end
      if (end.rows === this.#from.rows) assertSamePosition(end, this.#from)
      if (number >= this.#from.rows && isInShard(number, this.#shard)) yield { ...row, end }
    }
    if (this.position.rows < this.#from.rows) assertSamePosition(this.position, this.#from)
    this.position = { ...this.position, skipped: this.#countSkipped() }
  }

  #countSkipped(): ReadPosition['skipped'] {
    const { skipped } = this.#opened
    const { empty, notText } = this.#dataset.skipped
    return { empty: skipped.empty + empty, notText: skipped.notText + notText }
  }
}

/** @throws LayerpruneError if other texts led to the position */
export function assertSamePosition(found: ReadPosition, expected: ReadPosition): void {
  if (found.rows === expected.rows && found.digest === expected.digest) return
  const what =
    found.rows < expected.rows
      ? `the dataset has ${found.rows} texts, but ${expected.rows} of it were read before`
      : `the first ${expected.rows} texts of the dataset are not those that were read before`
  throw new LayerpruneError(`the run cannot be resumed: ${what}`, {
    hint: 'name the same dataset in the same order, or start again without `resumeFrom`',
  })
}

function extendDigest(digest: string, text: string): string {
  return updateWithText(createHash('sha256').update(digest).update('\n'), text).digest('hex')
}

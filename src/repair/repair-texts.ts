import { createHash } from 'node:crypto'
import { type Dataset, type DatasetRow, openDataset } from '../data/dataset.js'
import { LayerpruneError } from '../errors.js'
import type { RunOptions, RunSettings } from '../run/run-options.js'
import type { EncodeAnywhere } from '../texts/tokenizer.js'
import type { ReadText } from '../texts/windows.js'

export interface RepairTextOptions extends RunOptions {
  /** Texts to fit the repair on; 128 where left out. */
  datasetSize?: number | undefined
  /** Data to measure on, read with the dataset's other options; where left out, what follows in the dataset. */
  evaluateOn?: string | string[] | undefined
  /** Texts to measure on; 64 where left out. */
  evaluateSize?: number | undefined
}

/** Texts of a repair, those of fewer than two tokens left out; none is in both. */
export interface RepairTexts {
  calibration: TextSet
  evaluation: TextSet & {
    /** Texts passed over because they are among those of the calibration. */
    repeated: number
  }
}

export interface TextSet {
  /** Name of the dataset. */
  id: string
  batches: ReadText[][]
}

const CALIBRATION_TEXTS = 128
const EVALUATION_TEXTS = 64

/**
 * Reads the texts that a repair is fitted on and those that it is measured on. A text that is in both datasets, or
 * in one of them twice, is taken for the calibration alone.
 * @throws LayerpruneError where one of the two is left without a text
 */
export async function readRepairTexts(
  options: RepairTextOptions,
  encode: EncodeAnywhere,
  settings: RunSettings,
): Promise<RepairTexts> {
  const { dataset, evaluateOn, datasetSize = CALIBRATION_TEXTS, evaluateSize = EVALUATION_TEXTS } = options
  const calibrationSet = await open(options, dataset)
  const rows = calibrationSet.rows()
  try {
    const known = new Set<string>()
    const remember = (text: string) => {
      known.add(hash(text))
      return true
    }
    const calibration = await takeTexts(rows, datasetSize, encode, settings, remember)
    if (calibration.length === 0) throw noTexts(calibrationSet, 'to fit the repair on')
    const other = evaluateOn === undefined ? undefined : await open(options, evaluateOn)
    let repeated = 0
    const isNew = (text: string) => {
      const isKnown = known.has(hash(text))
      if (isKnown) repeated++
      return !isKnown
    }
    const others = other?.rows() ?? rows
    const evaluation = await takeTexts(others, evaluateSize, encode, settings, isNew)
    await others.return(undefined)
    if (evaluation.length === 0) {
      const left = repeated > 0 ? `but ${repeated} of those` : `after the ${calibration.length}`
      throw noTexts(other ?? calibrationSet, `to measure on ${left} that the repair is fitted on`)
    }
    return {
      calibration: { id: calibrationSet.id, batches: splitByLength(calibration, settings.batchSize) },
      evaluation: {
        id: (other ?? calibrationSet).id,
        batches: splitByLength(evaluation, settings.batchSize),
        repeated,
      },
    }
  } finally {
    await rows.return(undefined)
  }
}

function open(options: RunOptions, paths: string | string[]): Promise<Dataset> {
  const { column = 'text', textLines, shuffle, signal, onNote } = options
  const { datasetConfig: config, datasetSubset: split, datasetRevision: revision } = options
  return openDataset({
    paths: [paths].flat(),
    column,
    config,
    split,
    revision,
    textLines,
    shuffle,
    signal,
    onNote,
  })
}

/** Takes texts from where the rows stand, and leaves the rest of the rows to be read. */
async function takeTexts(
  rows: AsyncGenerator<DatasetRow>,
  count: number,
  encode: EncodeAnywhere,
  { maxLength }: RunSettings,
  accepts: (text: string) => boolean,
): Promise<ReadText[]> {
  const texts: ReadText[] = []
  while (texts.length < count) {
    const { value, done } = await rows.next()
    if (done) break
    const { text, origin } = value
    const ids = await encode(text, maxLength)
    if (ids.length >= 2 && accepts(text)) texts.push({ ids, origin, sizeBytes: Buffer.byteLength(text) })
  }
  return texts
}

/** Batches of texts of similar length. */
function splitByLength(texts: ReadText[], batchSize: number): ReadText[][] {
  const sorted = texts.toSorted((a, b) => b.ids.length - a.ids.length)
  return Array.from({ length: Math.ceil(sorted.length / batchSize) }, (_, index) =>
    sorted.slice(index * batchSize, (index + 1) * batchSize),
  )
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('base64')
}

function noTexts({ id, column }: Dataset, purpose: string): LayerpruneError {
  return new LayerpruneError(`${id} holds no text of two tokens or more in column ${column} ${purpose}`, {
    hint: 'give more texts with --dataset, others with --evaluate-on, or fewer to fit on with --dataset-size',
  })
}

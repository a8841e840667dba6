import { createHash } from 'node:crypto'
import { type Dataset, openDataset, type ReadingOptions } from '../data/dataset.js'
import { LayerpruneError } from '../errors.js'
import type { RunOptions, RunSettings } from '../run/run-options.js'
import { takeScoredTexts } from '../texts/scored-texts.js'
import type { EncodeAnywhere } from '../texts/tokenizer.js'
import { type ReadText, splitByLength } from '../texts/windows.js'

export interface RepairTextOptions extends RunOptions {
  /** Texts to fit the repair on; 128 if omitted. */
  datasetSize?: number | undefined
  /** Data to measure on, read with the dataset's other options; if omitted, what follows in the dataset. */
  evaluateOn?: string | string[] | undefined
  /** Texts to measure on; 64 if omitted. */
  evaluateSize?: number | undefined
}

/** Texts of a repair, without those of fewer than two tokens; none is in both. */
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

export const CALIBRATION_TEXTS = 128
const EVALUATION_TEXTS = 64

/**
 * Reads the texts that a repair is fitted on and those that it is measured on. A text that was read to fit the repair
 * is passed over when it occurs again among those to measure on.
 * @throws LayerpruneError if either set would have no text
 */
export async function readRepairTexts(
  options: RepairTextOptions & ReadingOptions,
  encode: EncodeAnywhere,
  { batchSize, maxLength }: RunSettings,
): Promise<RepairTexts> {
  const { evaluateOn, datasetSize = CALIBRATION_TEXTS, evaluateSize = EVALUATION_TEXTS } = options
  const calibrationSet = await openDataset({ ...options, datasetSize: undefined })
  const rows = calibrationSet.rows()
  try {
    const known = new Set<string>()
    const remember = (text: string) => {
      known.add(hash(text))
      return true
    }
    const calibration = await takeScoredTexts(rows, datasetSize, encode, maxLength, remember)
    if (calibration.length === 0) throw noTexts(calibrationSet, 'to fit the repair on')
    const other =
      evaluateOn === undefined
        ? undefined
        : await openDataset({ ...options, dataset: evaluateOn, datasetSize: undefined })
    let repeated = 0
    const isNew = (text: string) => {
      const isKnown = known.has(hash(text))
      if (isKnown) repeated++
      return !isKnown
    }
    const others = other?.rows() ?? rows
    const evaluation = await takeScoredTexts(others, evaluateSize, encode, maxLength, isNew)
    await others.return(undefined)
    if (evaluation.length === 0) {
      const left = repeated > 0 ? `but ${repeated} of those` : `after the ${calibration.length}`
      throw noTexts(other ?? calibrationSet, `to measure on ${left} that the repair is fitted on`)
    }
    return {
      calibration: { id: calibrationSet.id, batches: splitByLength(calibration, batchSize) },
      evaluation: {
        id: (other ?? calibrationSet).id,
        batches: splitByLength(evaluation, batchSize),
        repeated,
      },
    }
  } finally {
    await rows.return(undefined)
  }
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('base64')
}

function noTexts({ id, column }: Dataset, purpose: string): LayerpruneError {
  return new LayerpruneError(`${id} holds no text of two tokens or more in column ${column} ${purpose}`, {
    hint: 'give more texts with --dataset, others with --evaluate-on, or fewer to fit on with --dataset-size',
  })
}

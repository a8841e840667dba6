import { LayerpruneError } from '../../base/errors.js'
import type { TextRecord, TextUses } from '../../results/documents/text-uses.js'
import type { Dataset, ReadingOptions } from '../../texts/data/dataset.js'
import { splitHashes } from '../../texts/data/text-hashes.js'
import type { Encode } from '../../texts/tokens/tokenizer.js'
import { type ReadText, splitByLength } from '../../texts/tokens/windows.js'
import type { RunOptions, RunSettings } from '../run/run-options.js'
import { ALL_TEXTS, openTextSource, type TakenTexts, type TextSource, takeUnusedTexts } from './held-out-texts.js'
import { HELD_OUT_EVERY } from './repair-cuts.js'

export interface RepairTextOptions extends RunOptions {
  /** Texts to fit the repair on; 128 if omitted. */
  datasetSize?: number | undefined
  /** Data to measure on, read with the dataset's other options; if omitted, what follows in the dataset. */
  evaluateOn?: string | string[] | undefined
  /** Texts to measure on; 64 if omitted. */
  evaluateSize?: number | undefined
  /** Reads the texts to measure on before those to fit on, so that training can go on with all that follow. */
  evaluateFirst?: boolean | undefined
  /** Texts that are not measured on, as `texts` of a plan names them. */
  leaveOut?: TextUses | undefined
}

/** Texts of a repair, without those of fewer than two tokens; none is in both. */
export interface RepairTexts {
  calibration: ReadSet
  evaluation: ReadSet
}

interface ReadSet extends TextSet {
  /** Texts skipped because they are in the other set, which was read first. */
  repeated: number
  /** Texts skipped because they were used before, as `leaveOut` says. */
  leftOut: number
  /** Whether the layers were chosen on them, because there were no others. */
  isReused: boolean
  record: TextRecord
}

export interface TextSet {
  id: string
  batches: ReadText[][]
}

export const CALIBRATION_TEXTS = 128
export const EVALUATION_TEXTS = 64

/**
 * Reads the texts to fit a repair on and to measure it on; texts of the first set are skipped in the other.
 * @throws LayerpruneError if either set would have no text
 */
export async function readRepairTexts(
  options: RepairTextOptions & ReadingOptions,
  encode: Encode,
  { batchSize, maxLength }: RunSettings,
): Promise<RepairTexts> {
  const { evaluateOn, evaluateFirst, datasetSize = CALIBRATION_TEXTS, evaluateSize = EVALUATION_TEXTS } = options
  const source = await openTextSource({ ...options, datasetSize: undefined })
  const other =
    evaluateOn === undefined ? source : await openTextSource({ ...options, ...ALL_TEXTS, dataset: evaluateOn })
  try {
    const known = new Set<string>()
    const take = async (from: TextSource, count: number, uses: TextUses | undefined) => {
      const before = new Set(known)
      const taken = await takeUnusedTexts(from, count, uses, { encode, maxLength, apart: before })
      for (const hash of splitHashes(taken.record.hashes)) known.add(hash)
      const repeated = from.passed.filter(({ hash }) => before.has(hash)).length
      return { ...taken, repeated, leftOut: taken.leftOut - repeated }
    }
    const takeEvaluation = async () =>
      describeSet(await take(other, evaluateSize, options.leaveOut), splitByLength, batchSize)
    const early = evaluateFirst ? await takeEvaluation() : undefined
    const calibration = describeSet(await take(source, datasetSize, undefined), splitToHoldOut, batchSize)
    const evaluation = early ?? (await takeEvaluation())
    assertTexts({ calibration, evaluation }, { dataset: source.dataset, other: other.dataset, evaluateFirst })
    return { calibration, evaluation }
  } finally {
    await source.rows.return(undefined)
    await other.rows.return(undefined)
  }
}

type Taken = TakenTexts & Pick<ReadSet, 'repeated' | 'isReused'>

function describeSet({ texts, ...taken }: Taken, split: typeof splitByLength, batchSize: number): ReadSet {
  return { id: taken.record.dataset, batches: split(texts, batchSize), ...taken }
}

/** Batches of texts to fit on, so small that there are several: one of them at least is held out. */
function splitToHoldOut(texts: ReadText[], batchSize: number): ReadText[][] {
  const isOneBatch = texts.length <= batchSize
  return splitByLength(texts, isOneBatch ? Math.ceil(texts.length / HELD_OUT_EVERY) : batchSize)
}

interface TextSources {
  dataset: Dataset
  /** The dataset that is measured on. */
  other: Dataset
  evaluateFirst: boolean | undefined
}

function assertTexts({ calibration, evaluation }: RepairTexts, { dataset, other, evaluateFirst }: TextSources): void {
  const count = ({ batches }: TextSet) => batches.flat().length
  const [fitted, measured] = [count(calibration), count(evaluation)]
  const describe = (set: ReadSet, first: number, purpose: string) =>
    first === 0
      ? ''
      : ` ${set.repeated > 0 ? `but ${set.repeated} of those` : `after the ${first}`} that the repair is ${purpose} on`
  if (fitted === 0) {
    throw noTexts(dataset, `to fit the repair on${evaluateFirst ? describe(calibration, measured, 'measured') : ''}`)
  }
  if (fitted === 1) {
    throw new LayerpruneError(
      `one text of ${dataset.id} is too little to fit the repair on: it is fitted on some texts and checked on others`,
      { hint: 'give more texts with `dataset` or `datasetSize`' },
    )
  }
  if (measured === 0) {
    throw noTexts(other, `to measure on${evaluateFirst ? '' : describe(evaluation, fitted, 'fitted')}`)
  }
}

function noTexts({ id, column }: Dataset, purpose: string): LayerpruneError {
  return new LayerpruneError(`${id} holds no text of two tokens or more in column ${column} ${purpose}`, {
    hint: 'give more texts with `dataset`, others with `evaluateOn`, or fewer to fit on with `datasetSize`',
  })
}

import { join } from 'node:path'
import { LayerpruneError } from '../../base/errors.js'
import { formatQuantity } from '../../base/format-numbers.js'
import { isObject } from '../../base/is-object.js'
import type { LocatedModel } from '../../engine/model.js'
import { readJsonObject } from '../../files/checkpoint/config.js'
import { recordTexts, type TextRecord, type TextUses } from '../../results/documents/text-uses.js'
import type { Dataset, HashedRow, ReadingOptions } from '../../texts/data/dataset.js'
import type { DatasetOptions } from '../../texts/data/dataset-options.js'
import { countHashes, splitHashes } from '../../texts/data/text-hashes.js'
import type { Encode } from '../../texts/tokens/tokenizer.js'
import { type EncodedText, type ReadText, splitByLength } from '../../texts/tokens/windows.js'
import {
  ALL_TEXTS,
  openTextSource,
  restOf,
  type TakenTexts,
  type TextSource,
  takeSameTexts,
  takeUnusedTexts,
} from '../repair/held-out-texts.js'
import { EVALUATION_TEXTS } from '../repair/repair-texts.js'
import { packTexts } from './pack-texts.js'

export interface HealTextOptions extends DatasetOptions {
  /** Data to measure on, read with the dataset's other options; if omitted, the first texts of the dataset. */
  evaluateOn?: string | string[] | undefined
  /** Texts to measure on; 64 if omitted. They are never trained on. */
  evaluateSize?: number | undefined
}

/** Texts of a training, tokenised; none is in both sets. */
export interface HealTexts {
  training: { id: string; texts: number; sequences: EncodedText[]; record: TextRecord }
  heldOut: {
    id: string
    batches: ReadText[][]
    record: TextRecord
    /** Whether these are the texts that the pruned model was measured on, as its plan says. */
    isMeasured: boolean
  }
  /** Texts skipped because they are among those to measure on. */
  repeated: number
  /** Texts not measured on, because the model was made with them. */
  leftOut: number
  /** Whether the layers were chosen on the texts to measure on, because there were no others. */
  isReused: boolean
}

interface ReadOptions {
  maxLength: number
  /** Maximum sequences to read. */
  most: number
  batchSize: number
  endToken: number | null
  /** How texts were used to make the model. */
  uses: TextUses
}

/**
 * Reads the texts to measure on, and packs the others into sequences to train on. If omitted options leave the choice,
 * those are measured on that the model was measured on when it was pruned, so that the figures compare.
 * @throws LayerpruneError if either set would be empty
 */
export async function readHealTexts(
  options: HealTextOptions & ReadingOptions,
  encode: Encode,
  read: ReadOptions,
): Promise<HealTexts> {
  const { evaluateOn } = options
  const { maxLength, most, batchSize, endToken } = read
  const source = await openTextSource(options)
  try {
    const other =
      evaluateOn === undefined ? undefined : await openTextSource({ ...options, ...ALL_TEXTS, dataset: evaluateOn })
    const { id } = (other ?? source).dataset
    const held = await takeHeldOut(other ?? source, options, encode, read).finally(() => other?.rows.return(undefined))
    if (held.texts.length === 0) throw noTextToMeasure(options, (other ?? source).dataset, held.leftOut)
    const known = new Set(splitHashes(held.record.hashes))
    let repeated = 0
    const hashes: string[] = []
    const isNew = ({ hash }: HashedRow) => {
      if (known.has(hash)) repeated++
      else hashes.push(hash)
      return !known.has(hash)
    }
    const packed = await packTexts(restOf(source), encode, { maxLength, most, endToken, accepts: isNew })
    if (packed.sequences.length === 0) throw tooFewTokens(options, source.dataset, maxLength)
    const { column, id: trainedOn } = source.dataset
    const { end } = source.dataset.read()
    const record = recordTexts({ id: trainedOn, column, end, hashes: hashes.join('') }, options)!
    return {
      training: { id: trainedOn, ...packed, record },
      heldOut: {
        ...{ id, record: held.record, isMeasured: held.isMeasured },
        batches: splitByLength(held.texts, batchSize),
      },
      ...{ repeated, leftOut: held.leftOut, isReused: held.isReused },
    }
  } finally {
    await source.rows.return(undefined)
  }
}

async function takeHeldOut(
  source: TextSource,
  { evaluateOn, evaluateSize }: HealTextOptions,
  encode: Encode,
  { maxLength, uses }: ReadOptions,
): Promise<TakenTexts & { isMeasured: boolean; isReused: boolean }> {
  const { measured } = uses
  const isAsked = measured && (evaluateSize ?? countHashes(measured.hashes)) === countHashes(measured.hashes)
  if (isAsked && evaluateOn === undefined) {
    const same = await takeSameTexts(source, measured, { encode, maxLength })
    if (same !== undefined) return { ...same, isMeasured: true, isReused: false }
  }
  const taken = await takeUnusedTexts(source, evaluateSize ?? EVALUATION_TEXTS, uses, { encode, maxLength })
  return { ...taken, isMeasured: false }
}

/** The token that ends a text, by tokenizer_config.json and tokenizer.json; null if they name none. */
export async function findEndToken({ folder, source }: LocatedModel): Promise<number | null> {
  if (!source.names.includes('tokenizer_config.json')) return null
  const read = async (name: string) => (await readJsonObject(join(folder, name))) ?? {}
  const { eos_token: end } = await read('tokenizer_config.json')
  const content = isObject(end) ? end.content : end
  const { added_tokens: added } = await read('tokenizer.json')
  const found = (Array.isArray(added) ? added : []).find((token) => isObject(token) && token.content === content)
  return typeof found?.id === 'number' ? found.id : null
}

function noTextToMeasure(options: HealTextOptions, { id, column }: Dataset, leftOut: number): LayerpruneError {
  if (leftOut === 0) return noTexts(id, `no text of two tokens or more to measure on in column ${column}`)
  return new LayerpruneError(
    `${id} holds no text to measure on besides ${formatQuantity(leftOut, 'text')} that the model was fitted or trained on`,
    { hint: `give others with ${options.evaluateOn === undefined ? '`dataset` or ' : ''}\`evaluateOn\`` },
  )
}

function tooFewTokens(
  { datasetSize, evaluateSize = EVALUATION_TEXTS, evaluateOn }: HealTextOptions,
  { id, column }: Dataset,
  maxLength: number,
): LayerpruneError {
  if (datasetSize !== undefined && evaluateOn === undefined && datasetSize <= evaluateSize) {
    return new LayerpruneError(
      `all ${formatQuantity(datasetSize, 'text')} of \`datasetSize\` are measured on, and none is left to train on`,
      { hint: `give more than ${evaluateSize} texts with \`datasetSize\`, or measure on fewer with \`evaluateSize\`` },
    )
  }
  return noTexts(id, `fewer than ${maxLength} tokens to train on besides the texts to measure on, in column ${column}`)
}

function noTexts(id: string, what: string): LayerpruneError {
  return new LayerpruneError(`${id} holds ${what}`, {
    hint: 'give more texts with `dataset`, others with `evaluateOn`, or measure on fewer with `evaluateSize`',
  })
}

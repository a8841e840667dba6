import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { LayerpruneError } from '../../base/errors.js'
import { isObject } from '../../base/is-object.js'
import type { LocatedModel } from '../../engine/model.js'
import { readJsonObject } from '../../files/checkpoint/config.js'
import { type Dataset, type DatasetRow, openDataset, type ReadingOptions } from '../../texts/data/dataset.js'
import type { DatasetOptions } from '../../texts/data/dataset-options.js'
import { takeScoredTexts } from '../../texts/tokens/scored-texts.js'
import type { Encode } from '../../texts/tokens/tokenizer.js'
import { type EncodedText, type ReadText, splitByLength } from '../../texts/tokens/windows.js'
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
  training: { id: string; texts: number; sequences: EncodedText[] }
  heldOut: { id: string; batches: ReadText[][] }
  /** Texts skipped because they are among those to measure on. */
  repeated: number
}

interface ReadOptions {
  maxLength: number
  /** Maximum sequences to read. */
  most: number
  batchSize: number
  endToken: number | null
}

/**
 * Reads the texts to measure on, and packs the others into sequences to train on.
 * @throws LayerpruneError if either set would be empty
 */
export async function readHealTexts(
  options: HealTextOptions & ReadingOptions,
  encode: Encode,
  { maxLength, most, batchSize, endToken }: ReadOptions,
): Promise<HealTexts> {
  const { evaluateOn, evaluateSize = EVALUATION_TEXTS } = options
  const dataset = await openDataset(options)
  const rows = dataset.rows()
  try {
    const other =
      evaluateOn === undefined
        ? undefined
        : await openDataset({ ...options, dataset: evaluateOn, datasetSize: undefined })
    const known = new Set<string>()
    const remember = (text: string) => {
      known.add(hash(text))
      return true
    }
    const otherRows = other?.rows()
    const heldOut = await takeScoredTexts(otherRows ?? rows, evaluateSize, encode, maxLength, remember)
    await otherRows?.return(undefined)
    if (heldOut.length === 0) throw noTexts(other ?? dataset, 'no text of two tokens or more to measure on')
    let repeated = 0
    const isNew = (text: string) => {
      if (!known.has(hash(text))) return true
      repeated++
      return false
    }
    const packed = await packTexts(rows, encode, { maxLength, most, endToken, accepts: isNew })
    if (packed.sequences.length === 0) {
      throw noTexts(dataset, `fewer than ${maxLength} tokens to train on besides the texts to measure on`)
    }
    return {
      training: { id: dataset.id, ...packed },
      heldOut: { id: (other ?? dataset).id, batches: splitByLength(heldOut, batchSize) },
      repeated,
    }
  } finally {
    await (rows as AsyncGenerator<DatasetRow>).return(undefined)
  }
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

function hash(text: string): string {
  return createHash('sha256').update(text).digest('base64')
}

function noTexts({ id, column }: Dataset, what: string): LayerpruneError {
  return new LayerpruneError(`${id} holds ${what} in column ${column}`, {
    hint: 'give more texts with `dataset`, others with `evaluateOn`, or measure on fewer with `evaluateSize`',
  })
}

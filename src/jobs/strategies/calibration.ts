import { InterruptedError, LayerpruneError } from '../../base/errors.js'
import type { Model } from '../../engine/model.js'
import { recordTexts, type TextRecord } from '../../results/documents/text-uses.js'
import type { Dataset } from '../../texts/data/dataset.js'
import { batchScoredTexts } from '../../texts/tokens/scored-texts.js'
import { TokenizerProcess } from '../../texts/tokens/tokenizer-process.js'
import type { ReadText } from '../../texts/tokens/windows.js'
import { openInputs } from '../run/open-inputs.js'
import { chooseRunSettings, type RunOptions, type RunSettings } from '../run/run-options.js'

/** A model and the texts that its plan is made from, in memory. */
export interface Calibration {
  model: Model
  batches: ReadText[][]
  texts: number
  settings: RunSettings
  /** As plans name it. */
  dataset: Pick<Dataset, 'id' | 'column' | 'shares'>
  /** The texts, as plans record what layers were chosen on. */
  record: TextRecord
}

/**
 * Opens a model and reads the first texts of a dataset.
 * @throws UsageError if an option does not fit the model
 * @throws InterruptedError if `signal` was aborted
 * @throws LayerpruneError if model or dataset cannot be used, or the dataset holds no text
 */
export async function openCalibration(options: RunOptions & { datasetSize: number }): Promise<Calibration> {
  const { signal, datasetSize } = options
  const { dataset, model } = await openInputs(options)
  const settings = chooseRunSettings(options, model, options.onNote)
  const tokenizer = new TokenizerProcess(model.tokenizer, signal)
  const batches: ReadText[][] = []
  try {
    for await (const batch of batchScoredTexts(dataset.rows(), tokenizer.encode, settings)) batches.push(batch)
  } catch (cause) {
    throw signal?.aborted ? new InterruptedError(0, datasetSize) : cause
  } finally {
    tokenizer.close()
  }
  const texts = batches.flat().length
  if (texts === 0) {
    throw new LayerpruneError(`${dataset.id} holds no text of two tokens or more in column ${dataset.column}`, {
      hint: 'check `dataset` and `datasetColumn`',
    })
  }
  const { end, hashes } = dataset.read()
  const { id, column } = dataset
  const record = recordTexts({ id, column, end, hashes }, options)!
  return { model, batches, texts, settings, dataset, record }
}

/** The texts that a plan is made from, as it names them. */
export function describeTexts(
  { id, column, shares }: Calibration['dataset'],
  { texts, settings }: Pick<Calibration, 'texts'> & { settings: { maxLength: number } },
  { datasetSize, datasetSkip = 0, shuffle }: Pick<RunOptions, 'datasetSkip' | 'shuffle'> & { datasetSize: number },
) {
  return {
    id,
    ...(shares && { shares }),
    column,
    texts,
    maxLength: settings.maxLength,
    readTexts: datasetSkip + datasetSize,
    ...(shuffle !== undefined && { shuffle }),
  }
}

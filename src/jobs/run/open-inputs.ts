import { InterruptedError } from '../../base/errors.js'
import { type Model, openModel, type PrepareOptions, prepareModel } from '../../engine/model.js'
import { type Dataset, openDataset, type ReadingOptions } from '../../texts/data/dataset.js'
import { createChatWriter } from '../../texts/tokens/chat-writer.js'
import { DATASET_START, type ReadPosition } from '../../texts/tokens/placed-rows.js'
import type { RunOptions } from './run-options.js'

/**
 * Finds the model and the dataset of a run, on this machine or on the Hub, and makes them ready to run.
 * @param start  the rows up to there are not read; if omitted the dataset is read from its beginning
 * @throws UsageError if the options contradict each other
 * @throws InterruptedError if `signal` was aborted
 * @throws LayerpruneError if model or dataset cannot be used
 */
export async function openInputs(
  options: RunOptions & Pick<PrepareOptions, 'checksInRun'> & Pick<ReadingOptions, 'leftOutHashes'>,
  { rows, skipped }: ReadPosition = DATASET_START,
): Promise<{ dataset: Dataset; model: Model }> {
  const { datasetSize: limit, datasetSkip = 0, signal, onProgress } = options
  let model: Model | undefined
  onProgress?.({ phase: 'opening the model', done: 0, total: null })
  try {
    const dataset = await openDataset({
      ...options,
      datasetSize: limit === undefined ? undefined : limit - rows,
      // what was read before began after the texts to skip
      ...(rows > 0 && { datasetSkip: 0, skipRows: datasetSkip + rows + skipped.empty + skipped.notText }),
      writeChat: createChatWriter(() => model!.tokenizer, signal),
    })
    model = await prepareModel(await openModel(options, 'measure', { longest: options.maxLength }), options)
    return { dataset, model }
  } catch (cause) {
    throw signal?.aborted ? new InterruptedError(0, limit) : cause
  }
}

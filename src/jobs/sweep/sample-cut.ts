import { InterruptedError } from '../../base/errors.js'
import { formatQuantity } from '../../base/format-numbers.js'
import { openModel, prepareModel } from '../../engine/model.js'
import type { Block } from '../../model/layers/block.js'
import type { Sample } from '../../results/documents/prune-result.js'
import { TokenizerProcess } from '../../texts/tokens/tokenizer-process.js'
import { writeSamples } from '../prune/write-samples.js'
import type { SweepSettings } from './options.js'

/** What the whole model and a cut say after `count` beginnings of unused texts; throws InterruptedError. */
export async function sampleCut(settings: SweepSettings, removed: Block[], count: number): Promise<Sample[]> {
  const { datasetSize, verifySize, threads, device = 'cpu', signal, onNote, onProgress } = settings
  const skip = (settings.datasetSkip ?? 0) + datasetSize + verifySize
  const model = await prepareModel(await openModel({ ...settings, onNote: undefined }), {
    signal,
    onProgress,
  })
  const tokenizer = new TokenizerProcess(model.tokenizer, signal)
  try {
    const written = await writeSamples(
      { model, tokenizer },
      { ...settings, count, skip },
      { removed, threads, device, signal, onProgress },
    )
    if (written.length < count) {
      onNote?.(
        `${formatQuantity(written.length, 'sample')} instead of ${count}: the dataset has no more texts after the first ${skip}`,
      )
    }
    return written
  } catch (cause) {
    throw signal?.aborted ? new InterruptedError('while samples were written') : cause
  } finally {
    tokenizer.close()
  }
}

import { InterruptedError } from '../../base/errors.js'
import type { Model } from '../../engine/model.js'
import type { HashOptions } from '../../files/checkpoint/hash-files.js'
import { readHubSettings } from '../../files/hub/settings.js'
import type { SimilarityResult } from '../../results/documents/similarity-result.js'
import { fingerprintModel } from './fingerprint.js'

/**
 * Describes the measured model in a result.
 * @throws InterruptedError if `signal` was aborted
 * @throws LayerpruneError if a file of the model changes meanwhile
 */
export async function describeModel(
  model: Model,
  { signal, onNote, onProgress }: Omit<HashOptions, 'folder'>,
): Promise<SimilarityResult['model']> {
  const { id, revision, askedRevision, config, precision, file, adapter } = model
  const folder = readHubSettings().layerpruneFolder
  const fingerprint = await fingerprintModel(model, { folder, signal, onNote, onProgress }).catch((cause) => {
    throw signal?.aborted ? new InterruptedError(0) : cause
  })
  return {
    id,
    revision,
    askedRevision,
    family: config.modelType,
    layers: config.layers,
    hiddenSize: config.hiddenSize,
    dtype: precision.dtype,
    checkpointDtype: config.storedDtype,
    file,
    fingerprint,
    ...(config.ignoredKeys && { ignoredConfigKeys: [...config.ignoredKeys] }),
    ...(adapter && { base: { id: adapter.base, revision: adapter.baseRevision } }),
  }
}

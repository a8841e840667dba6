import type { Model } from '../model.js'
import { fingerprintModel } from './fingerprint.js'
import type { SimilarityResult } from './result.js'

/** What a result says of the model it was measured on. */
export async function describeModel(model: Model): Promise<SimilarityResult['model']> {
  const { id, revision, askedRevision, config, precision, file } = model
  return {
    id,
    revision,
    askedRevision,
    family: config.family,
    layers: config.layers,
    hiddenSize: config.hiddenSize,
    dtype: precision.dtype,
    checkpointDtype: config.storedDtype,
    file,
    fingerprint: await fingerprintModel(model),
  }
}

import { digest } from '../../base/digest.js'
import type { Model } from '../../engine/model.js'
import { readHubSettings } from '../../files/hub/settings.js'
import { fingerprintModel } from '../run/fingerprint.js'
import type { HealOptions, Work } from './heal-work.js'
import type { RunIdentity } from './saved-state.js'

/**
 * Settings and inputs that must match to resume a training: models by their bytes, texts by their tokens.
 * @throws LayerpruneError if a file of weights changes while it is read
 */
export async function identifyRun(
  { student: { model, form, teacher }, data: { texts }, settings }: Work,
  { signal, onNote, onProgress }: HealOptions,
): Promise<RunIdentity> {
  const { training, heldOut } = texts
  const hashModel = (model: Model) =>
    fingerprintModel(model, { folder: readHubSettings().layerpruneFolder, signal, onNote, onProgress })
  return {
    contents: {
      'the model': await hashModel(model),
      'the teacher': teacher === null ? 'none' : await hashModel(teacher.model),
      'what is trained': digest([form.trained, form.adapters?.form]),
      'the text to train on': digest(training.sequences.map(({ ids }) => ids)),
      'the text to measure on': digest(heldOut.batches.flat().map(({ ids }) => ids)),
    },
    settings: Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, `${value}`])),
  }
}

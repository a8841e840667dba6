import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import type { Model } from '../model.js'
import type { HealTexts } from './heal-texts.js'
import type { RunIdentity } from './saved-state.js'
import type { TrainingSettings } from './settings.js'
import type { TrainedForm } from './trained-form.js'

/** What must be the same for a training to go on as if it had never been stopped. */
export function identifyRun(
  { config, weightFiles }: Model,
  settings: TrainingSettings,
  { trained, adapters }: TrainedForm,
  { training, heldOut }: HealTexts,
): RunIdentity {
  const sizes = weightFiles.map((file) => statSync(file).size)
  return {
    'the model': hash([config.raw, sizes]),
    'what is trained': hash([trained, adapters?.form]),
    'the texts to train on': hash(training.sequences.map(({ ids }) => ids)),
    'the texts to measure on': hash(heldOut.batches.flat().map(({ ids }) => ids)),
    ...Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, `${value}`])),
  }
}

function hash(content: unknown): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 12)
}

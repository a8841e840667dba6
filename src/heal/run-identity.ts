import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import type { Work } from './heal-work.js'
import type { RunIdentity } from './saved-state.js'

/** What must be the same for a training to go on as if it had never been stopped. */
export function identifyRun({ model, settings, form, teacher, texts }: Work): RunIdentity {
  const { training, heldOut } = texts
  return {
    'the model': hash([model.config.raw, sizesOf(model.weightFiles)]),
    'the teacher': teacher === null ? 'none' : hash([teacher.id, sizesOf(teacher.weightFiles)]),
    'what is trained': hash([form.trained, form.adapters?.form]),
    'the texts to train on': hash(training.sequences.map(({ ids }) => ids)),
    'the texts to measure on': hash(heldOut.batches.flat().map(({ ids }) => ids)),
    ...Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, `${value}`])),
  }
}

function sizesOf(files: string[]): number[] {
  return files.map((file) => statSync(file).size)
}

function hash(content: unknown): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 12)
}

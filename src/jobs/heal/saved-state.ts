import { access, rm } from 'node:fs/promises'
import { LayerpruneError } from '../../base/errors.js'
import { nameOption } from '../../base/name-option.js'
import { readSafetensorsHeader } from '../../files/checkpoint/safetensors-header.js'
import { encodeTensors } from '../../files/weights/encode-tensors.js'
import { readTensor } from '../../files/weights/read-tensor.js'
import type { Replacement } from '../../files/weights/replacement.js'
import type { Figures } from '../../results/documents/evaluation-result.js'
import { findDifference } from '../run/identity.js'
import { pathBeside } from '../write-model/output-folder.js'
import { AdamW, type Parameters } from './optimizer.js'
import { ADAM } from './train.js'
import type { TrainingState } from './training-state.js'

/** What a run trains, on what and how, each by the name that messages call it by. */
export interface RunIdentity {
  /** Hashes of file contents. */
  contents: Record<string, string>
  settings: Record<string, string>
}

interface SavedNumbers {
  identity: RunIdentity
  taken: number
  seconds: number
  curve: TrainingState['curve']
  losses: number[]
  best: { step: number; heldOutLoss: number }
  /** The model's before the first step. */
  before: Figures
}

const KEY = 'layerprune.training'
const GROUPS = ['parameters', 'means', 'squares'] as const

/** Values of each trained number: those of the groups, and the best. */
export const STATE_COPIES = GROUPS.length + 1

/** Path of the training state, kept until the model is written. */
export function statePath(output: string): string {
  return pathBeside(output, '.layerprune-training')
}

/** Whether a stopped training has a folder as its output. */
export function hasState(output: string): Promise<boolean> {
  return access(statePath(output)).then(
    () => true,
    () => false,
  )
}

/** All that a stopped training needs to go on to the bit, as one safetensors file. */
export function encodeState(
  state: TrainingState,
  { identity, before }: { identity: RunIdentity; before: Figures },
): Uint8Array {
  const { parameters, optimizer, best, seconds, curve, losses } = state
  const { means, squares } = optimizer
  const tensors = new Map<string, Replacement>()
  const add = (group: string, values: Parameters) => {
    for (const [name, data] of values) {
      tensors.set(`${group}/${name}`, { shape: [data.length], data: data as Float32Array<ArrayBuffer> })
    }
  }
  add('parameters', parameters)
  add('means', means)
  add('squares', squares)
  add('best', best.parameters)
  const numbers: SavedNumbers = {
    identity,
    taken: optimizer.steps,
    seconds,
    curve,
    losses,
    best: { step: best.step, heldOutLoss: best.heldOutLoss },
    before,
  }
  return encodeTensors(tensors, { [KEY]: JSON.stringify(numbers) })
}

/**
 * Reads a state that `encodeState` made.
 * @param start values before the first step of the run that goes on
 * @throws LayerpruneError if the file is missing or damaged, or is that of another run
 */
export async function loadState(
  path: string,
  start: Parameters,
  identity: RunIdentity,
  weightDecay: number,
): Promise<{ state: TrainingState; before: Figures }> {
  const { tensors, metadata } = await readSafetensorsHeader(path)
  const numbers: SavedNumbers = JSON.parse(metadata[KEY] ?? 'null')
  if (numbers === null) {
    throw new LayerpruneError(`${path} is not a saved training state`, { hint: 'start again with `force`' })
  }
  assertSameRun(numbers.identity, identity)
  const readGroup = async (group: string): Promise<Parameters> => {
    const values = new Map<string, Float32Array>()
    for (const [name, { length }] of start) {
      const location = tensors.get(`${group}/${name}`)
      if (location?.shape[0] !== length) {
        throw new LayerpruneError(`${path} has no values of ${name}`, { hint: 'start again with `force`' })
      }
      values.set(name, await readTensor(location))
    }
    return values
  }
  const [parameters, means, squares] = await Promise.all(GROUPS.map(readGroup))
  const { taken, best, before, seconds, curve, losses } = numbers
  const optimizer = new AdamW(parameters!, { ...ADAM, weightDecay }, { means, squares, steps: taken })
  const state: TrainingState = {
    ...{ parameters: parameters!, optimizer, seconds, curve, losses },
    best: { ...best, parameters: await readGroup('best') },
  }
  return { state, before }
}

export async function removeState(path: string): Promise<void> {
  await rm(path, { force: true })
}

function assertSameRun(saved: RunIdentity, current: RunIdentity): void {
  const content = findDifference(saved.contents, current.contents)
  const setting = findDifference(saved.settings, current.settings)
  const change = content
    ? `${content.name} is not that of the stopped run`
    : setting && `${nameOption(setting.name)} was ${setting.first} and is ${setting.second}`
  if (change === undefined) return
  throw new LayerpruneError(`the training cannot be resumed: ${change}`, {
    hint: 'use what the stopped run used, or start again with `force`',
  })
}

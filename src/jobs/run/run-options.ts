import { availableParallelism, cpus } from 'node:os'
import { UsageError } from '../../base/errors.js'
import { nameOption } from '../../base/name-option.js'
import type { OnProgress } from '../../base/progress.js'
import type { Model, ModelOptions } from '../../engine/model.js'
import type { Device } from '../../engine/sessions/device.js'
import type { DatasetOptions } from '../../texts/data/dataset-options.js'
import { DEFAULT_MAX_LENGTH } from '../../texts/tokens/windows.js'
import { findLengthLimits } from './length-limits.js'

/** Options to run a model, report progress and stop. */
export interface RunningOptions {
  /** Threads of ONNX Runtime; its own choice if omitted. */
  threads?: number | undefined
  device?: Device | undefined
  /** Stops the run between two batches. */
  signal?: AbortSignal | undefined
  onProgress?: OnProgress | undefined
}

/** Options of every run of a model. */
export interface BatchOptions extends RunningOptions {
  /** Texts run at once; 8 if omitted. */
  batchSize?: number | undefined
  /** Tokens read of each text, from its start; 1024 if omitted, or what the model can take. */
  maxLength?: number | undefined
}

/** Options of every run of a model over texts. */
export interface RunOptions extends ModelOptions, DatasetOptions, BatchOptions {}

export interface RunSettings {
  /** Texts run at once. */
  batchSize: number
  /** Tokens read of each text, from its start. */
  maxLength: number
}

const DEFAULT_BATCH_SIZE = 8

/**
 * Checks options that count something; omitted ones are fine.
 * @param counts by the name that the message calls them by
 * @throws UsageError if one is no whole number of at least 1
 */
export function assertCounts(counts: Record<string, number | undefined>): void {
  for (const [name, value] of Object.entries(counts)) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value > 0)) {
      throw new UsageError(`${name} must be a whole number of at least 1, found ${value}`)
    }
  }
}

/**
 * Checks the counts among a run's options.
 * @throws UsageError if one is no whole number of at least 1, or there are more threads than processors, which
 *   would wait for each other
 */
export function assertRunCounts({
  batchSize,
  datasetSize,
  maxLength,
  threads,
}: Pick<RunOptions, 'batchSize' | 'datasetSize' | 'maxLength' | 'threads'>): void {
  assertCounts({ 'batch size': batchSize, 'dataset size': datasetSize, 'max length': maxLength, threads })
  const most = countProcessors()
  if (threads !== undefined && threads > most) {
    throw new UsageError(
      `threads must be 1 to ${most}, the ${most === 1 ? 'one processor' : 'processors'} of this machine, found ${threads}`,
    )
  }
}

/** Processors of the machine, or those available to this process if that cannot be known. */
function countProcessors(): number {
  return Math.max(cpus().length, availableParallelism())
}

/**
 * Fills in omitted options, according to the model: batches of 8 texts, of 1024 tokens or what the model can take. A
 * length of more than the model's positions is lowered to them, as PruneMe and transformers do.
 * @throws UsageError if the length is more than the model's graph computes as the model does
 */
export function chooseRunSettings(
  { batchSize = DEFAULT_BATCH_SIZE, maxLength: asked }: { [K in keyof RunSettings]?: number | undefined },
  model: Model,
  onNote?: (message: string) => void,
): RunSettings {
  const { precision, file } = model
  const limits = findLengthLimits(model)
  const broken = limits.find(({ tokens, refused }) => refused !== null && asked !== undefined && asked > tokens)
  if (broken !== undefined) {
    const hint = nameOption('maxLength', broken.tokens)
    throw new UsageError(`max length ${asked} exceeds ${broken.refused}`, { hint })
  }
  const limit = limits.reduce((least, other) => (other.tokens < least.tokens ? other : least))
  if ((asked ?? DEFAULT_MAX_LENGTH) > limit.tokens) {
    const not = asked === undefined ? '' : `, not at the ${asked} of ${nameOption('maxLength')}`
    onNote?.(`texts are cut at ${limit.tokens} tokens, ${limit.what}${not}`)
  }
  if (precision.sharesScaleInBatch && batchSize > 1) {
    onNote?.(`${file} quantises activations with one scale per batch, so each text runs alone`)
  }
  return {
    batchSize: precision.sharesScaleInBatch ? 1 : batchSize,
    maxLength: Math.min(asked ?? DEFAULT_MAX_LENGTH, limit.tokens),
  }
}

import { UsageError } from '../errors.js'
import type { Model } from '../model.js'

/** How texts are put to a model. */
export interface RunSettings {
  /** Texts run at once. */
  batchSize: number
  /** Tokens read of each text, from its start. */
  maxLength: number
}

const DEFAULT_BATCH_SIZE = 8
const DEFAULT_MAX_LENGTH = 1024

/**
 * Checks options that count something; those left out are fine.
 * @param counts by the name that the message calls them by
 * @throws UsageError where one is no whole number of at least 1
 */
export function assertCounts(counts: Record<string, number | undefined>): void {
  for (const [name, value] of Object.entries(counts)) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value > 0)) {
      throw new UsageError(`${name} must be a whole number of at least 1, found ${value}`)
    }
  }
}

/**
 * Fills in what was left out, by the model: batches of 8 texts, of 1024 tokens or what the model can take.
 * @throws UsageError where the length is more than the model can take
 */
export function chooseRunSettings(
  { batchSize = DEFAULT_BATCH_SIZE, maxLength }: { [K in keyof RunSettings]?: number | undefined },
  { config, precision, file }: Model,
  onNote?: (message: string) => void,
): RunSettings {
  const limit = config.maxPositions ?? Infinity
  if (maxLength !== undefined && maxLength > limit) {
    throw new UsageError(`max length ${maxLength} is over the ${limit} positions of the model`)
  }
  if (maxLength === undefined && DEFAULT_MAX_LENGTH > limit) {
    onNote?.(`texts are cut at ${limit} tokens, the positions of the model`)
  }
  if (precision.sharesScaleInBatch && batchSize > 1) {
    onNote?.(`${file} quantises activations with one scale a batch, so each text runs alone`)
  }
  return {
    batchSize: precision.sharesScaleInBatch ? 1 : batchSize,
    maxLength: maxLength ?? Math.min(DEFAULT_MAX_LENGTH, limit),
  }
}

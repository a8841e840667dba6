import { UsageError } from '../errors.js'
import type { Model, ModelOptions } from '../model.js'
import type { Device } from '../runtime/device.js'
import type { SimilarityResult, TokenSelection } from './result.js'

export interface SimilarityOptions extends ModelOptions {
  /** Data files and folders. */
  dataset: string | string[]
  /** Column that holds the text; 'text' where left out. */
  column?: string | undefined
  /** Plain text files hold a document a line. */
  textLines?: boolean | undefined
  /** At most this many texts; all where left out. */
  datasetSize?: number | undefined
  /** Texts run at once; 8 where left out. */
  batchSize?: number | undefined
  /** Tokens read of each text, from its start; 1024 where left out, or what the model can take. */
  maxLength?: number | undefined
  /** Size n of the blocks that are compared, 1 to layers - 1. */
  layersToSkip: number
  /** 'last' where left out, as in the paper. */
  tokens?: TokenSelection | undefined
  /** Threads of ONNX Runtime; its own choice where left out. */
  threads?: number | undefined
  device?: Device | undefined
  /** Stops the run between two batches. */
  signal?: AbortSignal | undefined
  onProgress?: ((progress: SimilarityProgress) => void) | undefined
  /** Given the means so far, marked partial, where a run is stopped or fails after some texts were measured. */
  onPartialResult?: ((partial: SimilarityResult) => void) | undefined
}

export interface SimilarityProgress {
  /** Texts measured so far. */
  texts: number
  /** Texts asked for; null where the dataset's size is not known. */
  total: number | null
}

/** Options that are in force for a run, with what was left out filled in. */
export interface SimilaritySettings {
  layersToSkip: number
  tokens: TokenSelection
  batchSize: number
  maxLength: number
}

const DEFAULT_BATCH_SIZE = 8
const DEFAULT_MAX_LENGTH = 1024

/**
 * Checks what can be checked before anything is read.
 * @throws UsageError where a number is no whole number of at least 1
 */
export function checkOptions(options: SimilarityOptions): void {
  const counts = {
    'layers to skip': options.layersToSkip,
    'batch size': options.batchSize,
    'dataset size': options.datasetSize,
    'max length': options.maxLength,
    threads: options.threads,
  }
  for (const [name, value] of Object.entries(counts)) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value > 0)) {
      throw new UsageError(`${name} must be a whole number of at least 1, found ${value}`)
    }
  }
}

/**
 * Fills in what was left out, by the model.
 * @throws UsageError where an option does not fit the model
 */
export function chooseSettings(
  options: SimilarityOptions,
  { config, precision, file }: Model,
): SimilaritySettings {
  const { layersToSkip, onNote } = options
  if (layersToSkip >= config.layers) {
    throw new UsageError(
      `layers to skip must be 1 to ${config.layers - 1} for a model of ${config.layers} layers, found ${layersToSkip}`,
    )
  }
  const limit = config.maxPositions ?? Infinity
  if (options.maxLength !== undefined && options.maxLength > limit) {
    throw new UsageError(`max length ${options.maxLength} is over the ${limit} positions of the model`)
  }
  if (options.maxLength === undefined && DEFAULT_MAX_LENGTH > limit) {
    onNote?.(`texts are cut at ${limit} tokens, the positions of the model`)
  }
  const batchSize = options.batchSize ?? DEFAULT_BATCH_SIZE
  if (precision.sharesScaleInBatch && batchSize > 1) {
    onNote?.(`${file} quantises activations with one scale a batch, so each text runs alone`)
  }
  return {
    layersToSkip,
    tokens: options.tokens ?? 'last',
    batchSize: precision.sharesScaleInBatch ? 1 : batchSize,
    maxLength: options.maxLength ?? Math.min(DEFAULT_MAX_LENGTH, limit),
  }
}

import { UsageError } from '../../base/errors.js'
import { nameOption } from '../../base/name-option.js'
import type { Progress } from '../../base/progress.js'
import { MIN_TEXTS } from '../../base/statistics/sequential.js'
import type { Model } from '../../engine/model.js'
import type { AskedBatch } from '../../engine/sessions/gram-source.js'
import type { Block } from '../../model/layers/block.js'
import { assertBlockSize } from '../../model/layers/blocks.js'
import { assertMetrics, type Metric } from '../../results/documents/metrics.js'
import type { SimilarityResult } from '../../results/documents/similarity-result.js'
import type { Shard } from '../../texts/tokens/placed-rows.js'
import { describeTokens, parseTokenSelection, type TokenSelection } from '../../texts/tokens/token-selection.js'
import { WINDOW_BATCHES } from '../../texts/tokens/windows.js'
import {
  assertCounts,
  assertRunCounts,
  chooseRunSettings,
  type RunOptions,
  type RunSettings,
} from '../run/run-options.js'
import type { RunRate } from '../run/run-rate.js'
import type { Roofline } from './roofline.js'

/** Progress of a run, and the best block so far. */
export interface SimilarityProgress extends Progress {
  /** The block that is the best so far. */
  best?: Block | undefined
}

export interface SimilarityOptions extends RunOptions {
  /** Size n of the blocks that are compared, 1 to layers - 1; if omitted, the result names the best of every size. */
  layersToSkip?: number | undefined
  /** How states are compared; the first one chooses the best block. If omitted, only 'angular'. */
  metric?: Metric | Metric[] | undefined
  /** If omitted, 'last' as in the paper; with `until` 'tail:32', which needs far fewer texts. */
  tokens?: TokenSelection | undefined
  /** Stops as soon as the best block is the best with this confidence, above 0 and below 1. */
  until?: number | undefined
  /** Measures this part of the dataset only. */
  shard?: Shard | undefined
  /** Memory limit of the process in bytes; the model is then run in segments of layers. */
  maxMemory?: number | undefined
  /** A partial result of the same run to resume. */
  resumeFrom?: SimilarityResult | undefined
  onProgress?: ((progress: SimilarityProgress) => void) | undefined
  /** Receives the means so far, marked partial, if a run stops or fails after some texts. */
  onPartialResult?: ((partial: SimilarityResult) => void) | undefined
  /** Receives the run's speed against the machine's peak at the end; measuring that takes half a second. */
  onRoofline?: ((roofline: Roofline) => void) | undefined
  /** Receives the speed of the run at the end; null if it measured nothing. */
  onRate?: ((rate: RunRate | null) => void) | undefined
  /** Receives the inner products of the states of each batch, as `addBatch` takes them. */
  onGram?: ((batch: AskedBatch, gram: Float64Array) => void) | undefined
  /** Called and awaited after every batch. `takePartial` makes the result so far. */
  onBatch?: ((takePartial: () => SimilarityResult) => Promise<void> | void) | undefined
}

/** Options of a run with omitted ones filled in. */
export interface SimilaritySettings extends RunSettings {
  layersToSkip: number
  /** Whether the sizes were left open. */
  everySize: boolean
  metrics: readonly Metric[]
  tokens: TokenSelection
  datasetSize?: number | undefined
  datasetSkip?: number | undefined
  shuffle?: number | undefined
  until?: number | undefined
  shard?: Shard | undefined
}

const DEFAULT_METRIC: Metric = 'angular'
const DEFAULT_UNTIL_TOKENS = 'tail:32'

/**
 * Checks what can be checked before anything is read.
 * @throws UsageError if an option is out of range, or two exclude each other
 */
export function checkOptions(options: SimilarityOptions): void {
  assertRunCounts(options)
  assertCounts({ 'layers to skip': options.layersToSkip, 'max memory': options.maxMemory })
  const { until, shard, tokens } = options
  if (until !== undefined && options.layersToSkip === undefined) {
    throw new UsageError('until stops once the best block of one size is certain: give layers to skip')
  }
  if (tokens !== undefined) parseTokenSelection(tokens)
  if (options.metric !== undefined) assertMetrics([options.metric].flat())
  if (until !== undefined && !(until > 0 && until < 1)) {
    throw new UsageError(`until must be a confidence above 0 and below 1, found ${until}`)
  }
  if (shard !== undefined) assertShard(shard)
  if (until !== undefined && shard !== undefined) {
    throw new UsageError('until and shard exclude each other: a shard cannot know when all of them are enough')
  }
}

function assertShard({ index, count }: Shard): void {
  const whole = Number.isSafeInteger(index) && Number.isSafeInteger(count)
  if (!(whole && index >= 1 && index <= count)) {
    throw new UsageError(`shard must be i of N with i from 1 to N, found ${index} of ${count}`)
  }
}

/** Fills in omitted options by the model; throws UsageError if one does not fit it. */
export function chooseSettings(options: SimilarityOptions, model: Model): SimilaritySettings {
  const { layersToSkip = 1, onNote } = options
  const { config } = model
  assertBlockSize(layersToSkip, config.layers)
  const run = chooseRunSettings(options, model, onNote)
  const { until, datasetSize, datasetSkip, shuffle, shard } = options
  if (until !== undefined && options.tokens === undefined) {
    onNote?.(
      `${nameOption('until')} compares the ${describeTokens(DEFAULT_UNTIL_TOKENS)} of each text, which takes fewer texts but is another measure than the paper's last token and can choose another block; ${nameOption('tokens', 'last')} keeps the paper's`,
    )
  }
  return {
    layersToSkip,
    everySize: options.layersToSkip === undefined,
    metrics: [options.metric ?? DEFAULT_METRIC].flat(),
    tokens: options.tokens ?? (until === undefined ? 'last' : DEFAULT_UNTIL_TOKENS),
    ...run,
    datasetSize,
    datasetSkip,
    shuffle,
    until,
    shard,
  }
}

/**
 * Batches of the window that starts after so many texts. A run that may stop looks at its numbers after every
 * window: first after the fewest texts it may stop at, then each time that a quarter more have come.
 */
export function chooseWindowBatches({ until, batchSize }: SimilaritySettings, rows: number): number {
  if (until === undefined) return WINDOW_BATCHES
  const texts = rows === 0 ? MIN_TEXTS : rows / 4
  return Math.min(WINDOW_BATCHES, Math.ceil(texts / batchSize))
}

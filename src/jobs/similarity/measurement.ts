import { LayerpruneError } from '../../base/errors.js'
import { type ComparedRun, TextStatistics } from '../../base/statistics/text-statistics.js'
import { listMetrics, type Metric } from '../../results/documents/metrics.js'
import type { SavedProgress, WindowProgress } from '../../results/documents/similarity-result.js'
import { DATASET_START, type ReadPosition } from '../../texts/tokens/placed-rows.js'
import { blockIndex, countBlocks } from './distances.js'

/** The measurements of a run so far, and its position in the dataset. */
export interface Measurement {
  metrics: readonly Metric[]
  /** Distances of every block by every metric, as `addDistances` orders them; comparable by the first metric. */
  statistics: TextStatistics
  /** Tokens read by the model. */
  tokens: number
  /** Texts in which the tokenizer found no token. */
  tokenless: number
  window: WindowProgress
}

export function startMeasurement(layers: number, metrics: readonly Metric[]): Measurement {
  return {
    metrics,
    statistics: new TextStatistics(metrics.length * countBlocks(layers), comparedBlocks(layers)),
    tokens: 0,
    tokenless: 0,
    window: windowFrom(DATASET_START),
  }
}

export function windowFrom(start: ReadPosition): WindowProgress {
  return { start, end: start, batches: 0 }
}

export function saveProgress({ tokenless, window, statistics }: Measurement): SavedProgress {
  return { tokenless, window: { ...window }, statistics: statistics.save() }
}

/** The form of a measurement in saved results. */
interface SavedMeasurement {
  model: { layers: number }
  dataset: { tokens: number }
  metric: Metric
  metrics?: Partial<Record<Metric, unknown>>
  progress?: SavedProgress
}

/**
 * The measurement that a partial result or a shard's was made from.
 * @param source  what holds it, for messages
 * @throws LayerpruneError if there is none in it, or it is damaged
 */
export function restoreMeasurement(saved: SavedMeasurement, source: string): Measurement {
  const { model, dataset, progress } = saved
  if (progress === undefined) {
    throw new LayerpruneError(`${source} holds no progress: expected a partial result or one of a shard`)
  }
  const { tokenless, window } = progress
  const metrics = listMetrics(saved)
  try {
    const quantities = metrics.length * countBlocks(model.layers)
    const compared = comparedBlocks(model.layers)
    return {
      metrics,
      statistics: TextStatistics.restore(progress.statistics, quantities, compared),
      tokens: dataset.tokens,
      tokenless,
      window: { ...window },
    }
  } catch (cause) {
    if (!(cause instanceof RangeError || cause instanceof TypeError)) throw cause
    throw new LayerpruneError(`the progress in ${source} is damaged: ${cause.message}`, { cause })
  }
}

function comparedBlocks(layers: number): ComparedRun[] {
  return Array.from({ length: layers }, (_, i) => ({ from: blockIndex(layers, i + 1, 0), size: layers - i }))
}

import type { SavedStatistics } from '../../base/statistics/text-statistics.js'
import type { ReadPosition } from '../../texts/tokens/placed-rows.js'

/** The window of texts that is being measured. */
export interface WindowProgress {
  /** After the last window, where the dataset ends. */
  start: ReadPosition
  /** Not yet known, the same as `start`, while no batch is measured. */
  end: ReadPosition
  /** Batches measured of it. */
  batches: number
}

/** A measurement as a partial result or a shard's keeps it. */
export interface SavedProgress {
  tokenless: number
  window: WindowProgress
  statistics: SavedStatistics
}

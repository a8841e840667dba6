import type { SavedStatistics } from '../../base/statistics/text-statistics.js'
import type { Block } from '../../model/layers/block.js'
import type { DatasetShare } from '../../texts/data/shares.js'
import type { ReadPosition, Shard } from '../../texts/tokens/placed-rows.js'
import type { TokenSelection } from '../../texts/tokens/token-selection.js'
import type { Certainty, SizeCertainty } from './certainty.js'
import type { Metric } from './metrics.js'
import type { RunRecord } from './run-record.js'
import type { SCHEMAS } from './schemas.js'

/** A block with its mean distance by a metric; the angular one is in [0, 1]. */
export interface ScoredBlock extends Block {
  distance: number
  /** Standard error of the mean over texts; null if only one text was measured. */
  standardError: number | null
}

/** The model that an adapter is merged into. */
export interface BaseModel {
  /** As the user or adapter_config.json named it: a folder or a Hub id. */
  id: string
  /** Commit of the Hub; null for a folder. */
  revision: string | null
}

/** The distances of all blocks by one metric. */
export interface MetricResult {
  /** `distances[n][l]`: mean distance between state l and state l + n, for every n from 1 to layers. */
  distances: Record<string, number[]>
  /** Same shape as `distances`. */
  standardErrors: Record<string, (number | null)[]>
  /** The nearest block of `layersToSkip` layers. */
  best: ScoredBlock
}

/** What `similarity --json` prints and `similarity.json` holds. Keys may be added, none changes meaning. */
export interface SimilarityResult extends MetricResult {
  schema: typeof SCHEMAS.similarity
  model: {
    /** As the user named it: a folder or a Hub id. */
    id: string
    /** Commit of the Hub; null for a folder. */
    revision: string | null
    /** What --revision asked for; null if the main branch was taken. */
    askedRevision: string | null
    /** `model_type` of config.json. */
    family: string
    layers: number
    hiddenSize: number
    /** Precision of the weights: fp32, bf16, fp16, q8, q4, ... */
    dtype: string
    /** What the checkpoint stores, in mergekit's words, if known: float32, float16 or bfloat16. */
    checkpointDtype: string | null
    /** The graph or weight file that was read, relative to the model folder. */
    file: string
    /** Digest of config, tokenizer and weights, wherever they are stored. */
    fingerprint: string
    /** Keys of config.json that were ignored on the user's word; omitted if there are none. */
    ignoredConfigKeys?: string[]
    /** What the model, an adapter, was merged into, and its commit on the Hub; omitted if it is no adapter. */
    base?: BaseModel
  }
  dataset: {
    id: string
    /** Configuration, split and commit on the Hub; null for files on disk. */
    config: string | null
    split: string | null
    revision: string | null
    /** The mixed datasets and their shares, with configuration, split and commit if on the Hub; omitted if none. */
    shares?: DatasetShare[]
    column: string
    /** Texts measured. */
    samples: number
    /** Non-padding tokens read by the model. */
    tokens: number
    /** Rows passed over because they held no text. */
    skipped: { empty: number; notText: number }
    /** Position in the dataset after the last text read. */
    end?: number
    /** Of each text read the first 6 bytes of its SHA-256, in base64, one after another. */
    hashes?: string
    /** Digest of the texts read, in their order, as `ReadPosition` computes it. */
    fingerprint: string
  }
  /** What else decides which numbers come out; omitted if it was not asked for. */
  settings: {
    maxLength: number
    batchSize: number
    datasetSize?: number
    datasetSkip?: number
    shuffle?: number
    until?: number
  }
  /** What `blocks`, `best`, `certainty`, `distances` and `standardErrors` are by. */
  metric: Metric
  tokens: TokenSelection
  layersToSkip: number
  /** The nearest block of every size from 1 to layers - 1, if none was asked for; `best` is then of one layer. */
  bestBlocks?: Record<string, ScoredBlock>
  /** Every block of `layersToSkip` layers, by start. */
  blocks: ScoredBlock[]
  /** How sure it is that `best` is the best; null if only one text was measured. */
  certainty: Certainty | null
  /** The same for every size from 1 to layers - 1, each alone; omitted by versions that did not measure it. */
  certaintyBySize?: Record<string, SizeCertainty> | null
  /** Present if more metrics were asked for, which decide nothing: each of them by name. */
  metrics?: Partial<Record<Metric, MetricResult>>
  /** Present and true if the run was interrupted: the means are over `samples` texts only. */
  partial?: true
  /** Present if one shard of the dataset was measured. */
  shard?: Shard
  /** Only in a shard or a partial result: the state that merging and resuming continue from. */
  progress?: SavedProgress
  /** What made it; omitted by the library, which writes no file. */
  run?: RunRecord | undefined
  layerpruneVersion: string
}

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

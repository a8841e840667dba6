/** Which positions of a text are compared: its final token (Gromov et al.), or each of its tokens. */
export type TokenSelection = 'last' | 'all'

/** A block of layers [start, end), 0-based: removing it joins state `start` to where state `end` was. */
export interface Block {
  start: number
  /** exclusive */
  end: number
}

/** A block with its mean angular distance, in [0, 1]. */
export interface ScoredBlock extends Block {
  distance: number
  /** Standard error of the mean over texts; null where one text alone was measured. */
  standardError: number | null
}

/** What `similarity --json` prints and `similarity.json` holds. Keys may be added, none changes meaning. */
export interface SimilarityResult {
  schema: 'layerprune.similarity/1'
  model: {
    /** As the user named it: a folder or a Hub id. */
    id: string
    /** `model_type` of config.json. */
    family: string
    layers: number
    hiddenSize: number
    /** What the weights were computed in: fp32, fp16, q8, q4, ... */
    dtype: string
    /** What the checkpoint stores, in mergekit's words, where known: float32, float16 or bfloat16. */
    checkpointDtype: string | null
    /** The graph or weight file that was read, relative to the model folder. */
    file: string
  }
  dataset: {
    id: string
    column: string
    /** Texts measured. */
    samples: number
    /** Non-padding tokens read by the model. */
    tokens: number
    /** Rows passed over because they held no text. */
    skipped: { empty: number; notText: number }
  }
  settings: { maxLength: number; batchSize: number }
  metric: 'angular'
  tokens: TokenSelection
  layersToSkip: number
  /** Every block of `layersToSkip` layers, by start. */
  blocks: ScoredBlock[]
  best: ScoredBlock
  /** `distances[n][l]`: mean angular distance between state l and state l + n, for every n from 1 to layers. */
  distances: Record<string, number[]>
  /** Same shape as `distances`. */
  standardErrors: Record<string, (number | null)[]>
  /** Present and true where the run was interrupted: the means are over `samples` texts only. */
  partial?: true
  layerpruneVersion: string
}

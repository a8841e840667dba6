import type { Block } from '../../model/layers/block.js'
import type { Shard } from '../../texts/tokens/placed-rows.js'
import type { CandidateFigures, EvaluationResult, Figures } from './evaluation-result.js'
import type { Sample } from './prune-result.js'
import type { RunRecord } from './run-record.js'
import type { SCHEMAS } from './schemas.js'
import type { TaskCandidate, TaskResult } from './task-result.js'
import type { TextRecord } from './text-uses.js'

/** How large and how fast a model is, whole or cut. */
export interface Extent {
  /** Learnt numbers of the decoder. */
  parameters: number
  /** Bytes on disk of its weights, in the form in which they are stored. */
  bytes: number
  /**
   * Tokens per second of a pass through its layers without a cache (prefill), on this machine: the sum of the mean
   * times of the layers that remain; embedding and head are not counted. Null if it was not measured.
   */
  tokensPerSecond: number | null
}

/** Layers that strategies chose to remove. */
export interface ChosenCut {
  /** Names of the strategies that chose these layers for this size. */
  strategies: string[]
  /** How many layers are removed. */
  layersToSkip: number
  removed: Block[]
  /** Angular distance across the block; null if the layers are not one block, or no strategy measured distances. */
  distance: number | null
}

/** What a cut predicts of the texts; its perplexity is null, and there is no more, if that is not a finite number. */
export type CutPredictions = Omit<CandidateFigures, 'removed'> | { perplexity: null }

/** What a cut costs and gains. */
export type SweepCandidate = ChosenCut &
  Extent &
  CutPredictions & {
    /** Texts measured: fewer for a cut that lost too much on the first; its perplexity is then extrapolated. */
    texts: number
    /** The same figures with the layers before the cut refitted by least squares, nearly as `prune --repair` does. */
    repaired?: CutPredictions
    /** How it does on tasks, unrepaired; omitted if none was asked for. */
    tasks?: TaskCandidate['tasks']
  }

/** The limits that a cut must meet; an omitted one does not apply. */
export interface SweepLimits {
  /** The largest perplexity (after the repair, if there was one) over the whole model's. */
  maxPerplexityRatio?: number
  /** Bytes on disk of the weights. */
  maxSize?: number
  /** The least accuracy on tasks, by name. */
  minTask?: Record<string, number>
}

/** What `sweep --json` prints. Keys may be added, none changes meaning. */
export interface SweepResult {
  schema: typeof SCHEMAS.sweep
  model: EvaluationResult['model']
  /** Texts that the cuts were measured on; the layers were chosen on the `skippedTexts` texts before them. */
  dataset: EvaluationResult['dataset']
  settings: EvaluationResult['settings']
  /** Texts that the layers were chosen on; omitted if no strategy measured any. */
  chosenOn?: TextRecord
  /** In the order in which they were asked for. */
  strategies: string[]
  /** Numbers of layers, ascending. */
  sizes: number[]
  whole: Figures & Extent & Partial<Pick<TaskResult, 'tasks'>>
  /** How tasks were put to the models; omitted if none was asked for. */
  taskSettings?: TaskResult['taskSettings']
  /** By size, those of one size in the order of the strategies. */
  candidates: SweepCandidate[]
  limits: SweepLimits
  /** The cut of the most layers within the limits, or of the lowest perplexity by size alone; null if none holds. */
  recommended: Pick<SweepCandidate, 'layersToSkip' | 'removed' | 'strategies'> | null
  /** What the whole model and the recommended cut say after the same beginnings; omitted if none were asked for. */
  samples?: Sample[]
  /** Which part of the candidates this is; omitted if it is all. */
  shard?: Shard
  /** What made it; omitted by the library, which writes no file. */
  run?: RunRecord | undefined
  layerpruneVersion: string
}

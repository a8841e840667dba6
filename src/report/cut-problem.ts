import type { Block } from '../layers/block.js'

/** What a saved file says of its model. */
export interface CutModel {
  /** Folder or Hub id. */
  id: string
  /** The config's `model_type`, if it is known. */
  family?: string | undefined
  /** Layers of the whole model. */
  layers: number
}

/** Why mergekit would not make a cut, in words; undefined if no reason is known. */
export type FindProblem = (model: CutModel, removed: Block[]) => string | undefined

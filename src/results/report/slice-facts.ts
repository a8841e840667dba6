import type { Block } from '../../model/layers/block.js'

/** The model as a saved file describes it. */
export interface CutModel {
  /** Folder or Hub id. */
  id: string
  /** The config's `model_type`, if it is known. */
  family?: string | undefined
  /** Layers of the whole model. */
  layers: number
  /** What the checkpoint stores, if it is known. */
  checkpointDtype?: string | null | undefined
}

export interface SliceFacts {
  /** Why mergekit would not make a cut, in words; undefined if no reason is known. */
  findProblem: (model: CutModel, removed: Block[]) => string | undefined
  /** The numbers that a model is stored in; null if they are not known. */
  findStoredDtype: (model: CutModel) => string | null
}

import { UsageError } from '../../base/errors.js'
import { VERSION } from '../../base/version.js'
import type { Block } from '../../model/layers/block.js'
import { normalizeBlocks } from '../../model/layers/blocks.js'
import { countLayers } from '../../model/layers/count-layers.js'
import type { RunRecord } from './run-record.js'
import { SCHEMAS } from './schemas.js'
import type { BaseModel, SimilarityResult } from './similarity-result.js'
import type { TextUses } from './text-uses.js'

/** Name of the plan in a folder that `prune` or `heal` wrote. */
export const PLAN_FILE = 'layerprune-plan.json'

export interface PlannedModel {
  /** As the user named it: a folder or a Hub id. */
  id: string
  /** Layers of the whole model. */
  layers: number
  /** `model_type` of config.json. */
  family?: string | undefined
  /** What an adapter is merged into; omitted if the model is none. */
  base?: BaseModel | undefined
}

/** The model of a result as a plan describes it. */
export function nameModel({ id, layers, family, base }: SimilarityResult['model']): PlannedModel {
  return { id, layers, family, ...(base && { base }) }
}

/** Which layers of a model are removed and how they were found. Keys may be added, none changes meaning. */
export interface Plan {
  schema: typeof SCHEMAS.plan
  model: PlannedModel
  /** How the layers were chosen: `angular`, `block-influence`, ...; `explicit` if the user named them. */
  strategy: string
  /** By start, disjoint, none touching the next. */
  removed: Block[]
  /** Layers removed in all. */
  layersToSkip: number
  /** What the strategy measured, in its own words. */
  scores?: Record<string, unknown> | undefined
  /** Texts that the strategy measured; those after the first `readTexts`, in `shuffle` order, had no part in it. */
  dataset?: Record<string, unknown> | undefined
  /** What made it; omitted by the library, which writes no file. */
  run?: RunRecord | undefined
  /** Texts that the layers were chosen on and, beside a model, those that it was made with and measured on. */
  texts?: TextUses | undefined
  layerpruneVersion: string
}

/**
 * Makes a plan; its blocks may come in any order.
 * @throws UsageError if the blocks do not fit the model, or there is none
 */
export function makePlan({
  model,
  strategy,
  removed,
  scores,
  dataset,
  texts,
}: Pick<Plan, 'model' | 'strategy' | 'removed' | 'scores' | 'dataset' | 'texts'>): Plan {
  if (removed.length === 0) throw new UsageError('no block to remove: a plan removes at least one layer')
  const normalized = normalizeBlocks(removed, model.layers)
  return {
    schema: SCHEMAS.plan,
    model,
    strategy,
    removed: normalized,
    layersToSkip: countLayers(normalized),
    ...(scores === undefined ? {} : { scores }),
    ...(dataset === undefined ? {} : { dataset }),
    ...(texts === undefined || Object.keys(texts).length === 0 ? {} : { texts }),
    layerpruneVersion: VERSION,
  }
}

/** The layers of a plan, least influence first; of equals the first; undefined if a layer has no score. */
export function rankLayers({ model, scores }: Plan): { layer: number; influence: number }[] | undefined {
  const found = scores?.blockInfluence
  if (!Array.isArray(found) || found.length !== model.layers) return undefined
  if (!found.every((score) => Number.isFinite(score))) return undefined
  return found
    .map((influence: number, layer) => ({ layer, influence }))
    .sort((a, b) => a.influence - b.influence || a.layer - b.layer)
}

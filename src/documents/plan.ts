import { UsageError } from '../errors.js'
import { isObject } from '../is-object.js'
import type { Block } from '../layers/block.js'
import { countLayers, normalizeBlocks } from '../layers/blocks.js'
import { VERSION } from '../version.js'
import { notDocument, readDocument, type SavedDocument } from './saved-document.js'

const SCHEMA = 'layerprune.plan/1'

/** The model that a plan is for. */
export interface PlannedModel {
  /** As the user named it: a folder or a Hub id. */
  id: string
  /** Layers of the whole model. */
  layers: number
  /** `model_type` of config.json. */
  family?: string | undefined
}

/** Which layers of a model are removed and how they were found. Keys may be added, none changes meaning. */
export interface Plan {
  schema: typeof SCHEMA
  model: PlannedModel
  /** How the layers were chosen: `angular`, `block-influence`, ...; `explicit` if the user named them. */
  strategy: string
  /** By start, disjoint, none touching the next. */
  removed: Block[]
  /** Layers removed in all. */
  layersToSkip: number
  /** What the strategy measured, in its own words. */
  scores?: Record<string, unknown> | undefined
  /** Texts that the strategy measured. */
  dataset?: Record<string, unknown> | undefined
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
}: Pick<Plan, 'model' | 'strategy' | 'removed' | 'scores' | 'dataset'>): Plan {
  if (removed.length === 0) throw new UsageError('no block to remove: a plan takes out at least one layer')
  const normalized = normalizeBlocks(removed, model.layers)
  return {
    schema: SCHEMA,
    model,
    strategy,
    removed: normalized,
    layersToSkip: countLayers(normalized),
    ...(scores === undefined ? {} : { scores }),
    ...(dataset === undefined ? {} : { dataset }),
    layerpruneVersion: VERSION,
  }
}

/**
 * Reads a plan from its JSON file and checks all of it.
 * @throws LayerpruneError if the file is missing, no plan, or contradicts itself
 */
export async function readPlan(path: string): Promise<Plan> {
  return checkPlan(path, (await readDocument(path, 'plan')).document)
}

/** As `readPlan`, of a document that is read already. */
export function checkPlan(path: string, document: SavedDocument): Plan {
  const { model, strategy, removed, layersToSkip, scores, dataset, layerpruneVersion } = document
  const { family } = model
  const fail = (found: string) => notDocument(path, 'plan', found)
  if (family !== undefined && typeof family !== 'string') throw fail('model.family must be a string')
  if (typeof strategy !== 'string') throw fail('strategy must be a string')
  if (!Array.isArray(removed) || !removed.every(isBlock)) {
    throw fail('removed must be a list of { start, end }')
  }
  if (scores !== undefined && !isObject(scores)) throw fail('scores must be an object')
  if (dataset !== undefined && !isObject(dataset)) throw fail('dataset must be an object')
  const plan = explainBlocks(path, () =>
    makePlan({ model: { ...model, family }, strategy, removed, scores, dataset }),
  )
  if (layersToSkip !== plan.layersToSkip) {
    throw fail(
      `layersToSkip is ${JSON.stringify(layersToSkip) ?? 'missing'}, but ${plan.layersToSkip} layers are removed`,
    )
  }
  return typeof layerpruneVersion === 'string' ? { ...plan, layerpruneVersion } : plan
}

/** What is wrong usage on the command line is damage in a file. */
function explainBlocks(path: string, make: () => Plan): Plan {
  try {
    return make()
  } catch (error) {
    if (error instanceof UsageError) throw notDocument(path, 'plan', error.message)
    throw error
  }
}

function isBlock(value: unknown): value is Block {
  return isObject(value) && typeof value.start === 'number' && typeof value.end === 'number'
}

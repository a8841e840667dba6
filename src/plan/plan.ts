import { readFile } from 'node:fs/promises'
import { LayerpruneError, UsageError } from '../errors.js'
import type { Block } from '../similarity/result.js'
import { VERSION } from '../version.js'
import { countLayers, normalizeBlocks } from './blocks.js'

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

/** Which layers of a model go and how they were found. Keys may be added, none changes meaning. */
export interface Plan {
  schema: typeof SCHEMA
  model: PlannedModel
  /** How the layers were chosen: `angular`, `block-influence`, ...; `explicit` where the user named them. */
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
 * @throws UsageError where the blocks do not fit the model, or there is none
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
 * @throws LayerpruneError where the file is missing, no plan, or contradicts itself
 */
export async function readPlan(path: string): Promise<Plan> {
  const text = await readFile(path, 'utf8').catch((cause: Error) => {
    throw new LayerpruneError(`${path} cannot be read: ${cause.message}`, { cause })
  })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw notPlan(path, `not valid JSON: ${(cause as Error).message}`)
  }
  if (!isObject(value)) throw notPlan(path, 'expected a JSON object')
  if (value.schema !== SCHEMA)
    throw notPlan(path, `schema is ${JSON.stringify(value.schema) ?? 'missing'}, expected "${SCHEMA}"`)
  const { model, strategy, removed, layersToSkip, scores, dataset, layerpruneVersion } = value
  if (!isObject(model) || typeof model.id !== 'string' || !isCount(model.layers)) {
    throw notPlan(path, 'model.id and model.layers are expected')
  }
  if (model.family !== undefined && typeof model.family !== 'string') {
    throw notPlan(path, 'model.family must be a string')
  }
  if (typeof strategy !== 'string') throw notPlan(path, 'strategy must be a string')
  if (!Array.isArray(removed) || !removed.every(isBlock)) {
    throw notPlan(path, 'removed must be a list of { start, end }')
  }
  if (scores !== undefined && !isObject(scores)) throw notPlan(path, 'scores must be an object')
  if (dataset !== undefined && !isObject(dataset)) throw notPlan(path, 'dataset must be an object')
  const plan = explainBlocks(path, () =>
    makePlan({ model: model as unknown as PlannedModel, strategy, removed, scores, dataset }),
  )
  if (layersToSkip !== plan.layersToSkip) {
    throw notPlan(
      path,
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
    if (error instanceof UsageError) throw notPlan(path, error.message)
    throw error
  }
}

function notPlan(path: string, found: string): LayerpruneError {
  return new LayerpruneError(`${path} is not a plan: ${found}`, {
    hint: 'give the plan.json that layerprune wrote',
  })
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
}

function isBlock(value: unknown): value is Block {
  return isObject(value) && typeof value.start === 'number' && typeof value.end === 'number'
}

import { join } from 'node:path'
import type { LocatedModel } from '../../engine/model.js'
import { PLAN_FILE, type Plan } from '../../results/documents/plan.js'
import { readPlan } from '../../results/documents/read-saved.js'

/** The plan of the pruning that a model came from; undefined if its folder has none. */
export async function findPlan({ folder, source }: Pick<LocatedModel, 'folder' | 'source'>): Promise<Plan | undefined> {
  if (!source.names.includes(PLAN_FILE)) return undefined
  await source.provide([PLAN_FILE])
  return readPlan(join(folder, PLAN_FILE))
}

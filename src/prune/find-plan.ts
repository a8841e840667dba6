import { join } from 'node:path'
import { assertRegularFile } from '../checkpoint/regular-file.js'
import type { Plan } from '../documents/plan.js'
import { readPlan } from '../documents/read-saved.js'
import type { LocatedModel } from '../model.js'

/** The file beside a pruned model that says what was removed. */
export const PLAN_FILE = 'layerprune-plan.json'

/** The plan of the pruning that a model came from; undefined if its folder has none. */
export async function findPlan({
  folder,
  source,
}: Pick<LocatedModel, 'folder' | 'source'>): Promise<Plan | undefined> {
  if (!source.names.includes(PLAN_FILE)) return undefined
  await source.provide([PLAN_FILE])
  const path = join(folder, PLAN_FILE)
  await assertRegularFile(path)
  return readPlan(path)
}

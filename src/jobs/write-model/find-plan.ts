import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type LocatedModel, locateModel, type ModelOptions } from '../../engine/model.js'
import { PLAN_FILE, type Plan } from '../../results/documents/plan.js'
import { readPlan } from '../../results/documents/read-saved.js'
import { joinUses, type TextUses } from '../../results/documents/text-uses.js'
import { readTextsFile, TEXTS_FILE } from '../../results/documents/texts-file.js'

/** The plan of the pruning that a model came from; undefined if its folder has none. */
export async function findPlan({ folder, source }: Pick<LocatedModel, 'folder' | 'source'>): Promise<Plan | undefined> {
  if (!source.names.includes(PLAN_FILE)) return undefined
  await source.provide([PLAN_FILE])
  return readPlanIn(folder)
}

/** The texts that a model was made with, and the adapter that is merged into it, as their plans say. */
export async function findUses(options: ModelOptions): Promise<TextUses> {
  return readUses(await locateModel({ ...options, onNote: undefined }))
}

/** As `findUses`, of a model that has been located. */
export async function readUses(located: LocatedModel): Promise<TextUses> {
  const { folder, source, adapter } = located
  await source.provide([PLAN_FILE, TEXTS_FILE].filter((name) => source.names.includes(name)))
  return joinUses(await readUsesIn(folder), adapter && (await readUsesIn(adapter.folder)))
}

async function readUsesIn(folder: string): Promise<TextUses> {
  const path = join(folder, TEXTS_FILE)
  return joinUses((await readPlanIn(folder))?.texts, existsSync(path) ? await readTextsFile(path) : undefined)
}

async function readPlanIn(folder: string): Promise<Plan | undefined> {
  const path = join(folder, PLAN_FILE)
  return existsSync(path) ? readPlan(path) : undefined
}

import { join } from 'node:path'
import type { Model } from '../../engine/model.js'
import { readJsonObject } from '../../files/checkpoint/config.js'

/** End-of-text tokens from generation_config.json, else from config.json; none if neither names any. */
export async function readEndTokens({ folder, config }: Pick<Model, 'folder' | 'config'>): Promise<Set<number>> {
  const generation = await readJsonObject(join(folder, 'generation_config.json'))
  const stated = generation?.eos_token_id ?? config.raw.eos_token_id
  return new Set([stated].flat().filter((id): id is number => Number.isSafeInteger(id)))
}

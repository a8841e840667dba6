import { existsSync } from 'node:fs'
import type { ModelConfig } from '../../checkpoint/config.js'
import { locateModel } from '../../model.js'

/** The config of a model that is on this machine; undefined if it is not, and is the id of one on the Hub. */
export async function readLocalConfig(model: string): Promise<ModelConfig | undefined> {
  return existsSync(model) ? (await locateModel({ model })).config : undefined
}

import { existsSync, readdirSync, statSync } from 'node:fs'
import { isAdapter } from '../../files/checkpoint/adapter/open-adapter.js'
import { type ModelConfig, readModelConfig } from '../../files/checkpoint/config.js'

/** The config of a model on this machine; undefined for an id on the Hub or an adapter, whose base may be another. */
export async function readLocalConfig(model: string): Promise<ModelConfig | undefined> {
  if (!existsSync(model) || isLocalAdapter(model)) return undefined
  if (isPlainFolder(model)) {
    const config = await readModelConfig(model).catch(() => undefined)
    if (config !== undefined) return config
  }
  // reads every form and explains what it cannot read, but takes longer to load than most commands to run
  const { locateModel } = await import('../../engine/model.js')
  return (await locateModel({ model })).config
}

/** Whether a model is an adapter on this machine. */
export function isLocalAdapter(model: string): boolean {
  return existsSync(model) && statSync(model).isDirectory() && isAdapter(readdirSync(model))
}

/** Whether the config of a folder is its config.json, whatever else it holds. */
function isPlainFolder(model: string): boolean {
  if (statSync(model).isFile()) return false
  const names = readdirSync(model)
  return names.includes('config.json') && names.some((name) => name.endsWith('.safetensors'))
}

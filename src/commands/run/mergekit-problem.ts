import { existsSync } from 'node:fs'
import { readModelConfig } from '../../checkpoint/config.js'
import type { Block } from '../../layers/block.js'
import { keepLayers } from '../../prune/layer-numbers.js'
import { findMergekitProblem } from '../../prune/mergekit-support.js'

interface Cut {
  /** Folder or Hub id. */
  model: string
  /** The config's `model_type`, if it is known. */
  family: string | undefined
  /** Layers of the whole model. */
  layers: number
  removed: Block[]
}

/** Why mergekit would not make a cut, by the model's config if that is in a folder, otherwise by its family. */
export async function readMergekitProblem({
  model,
  family,
  layers,
  removed,
}: Cut): Promise<string | undefined> {
  const config = existsSync(model) ? await readModelConfig(model) : undefined
  const known = config?.modelType ?? family
  return known === undefined
    ? undefined
    : findMergekitProblem(known, keepLayers(layers, removed), config?.raw)
}

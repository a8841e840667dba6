import { isGguf } from '../../checkpoint/gguf-names.js'
import type { Block } from '../../layers/block.js'
import { keepLayers } from '../../prune/layer-numbers.js'
import { findMergekitProblem } from '../../prune/mergekit-support.js'
import { readLocalConfig } from './local-config.js'

interface Cut {
  /** Folder or Hub id. */
  model: string
  /** The file that was read, if it is known. */
  file?: string | undefined
  /** The config's `model_type`, if it is known. */
  family: string | undefined
  /** Layers of the whole model. */
  layers: number
  removed: Block[]
}

/** Why mergekit would not make a cut, by the model's config if that is in a folder, otherwise by its family. */
export async function readMergekitProblem({
  model,
  file,
  family,
  layers,
  removed,
}: Cut): Promise<string | undefined> {
  if (isGguf(file ?? model)) return 'mergekit reads no GGUF files'
  const config = await readLocalConfig(model)
  if (config?.origin !== undefined) return 'mergekit reads no GGUF files'
  const known = config?.modelType ?? family
  return known === undefined
    ? undefined
    : findMergekitProblem(known, keepLayers(layers, removed), config?.raw)
}

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ModelConfig } from '../../files/checkpoint/config.js'
import { isGguf } from '../../files/checkpoint/gguf-names.js'
import type { Block } from '../../model/layers/block.js'
import type { CutModel, SliceFacts } from '../../results/report/slice-facts.js'
import { findMergekitProblem } from '../prune/mergekit-support.js'
import { keepLayers } from '../write-model/layer-numbers.js'
import { isLocalAdapter, readLocalConfig } from './local-config.js'

const NO_GGUF = 'mergekit reads no GGUF files'
const NO_ADAPTER = 'this is an adapter, which must be merged into its base first (peft, merge_and_unload)'

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

/** Why mergekit would not make a cut, by the model's config if that is on this machine, otherwise by its family. */
export async function readMergekitProblem({ model, file, family, ...cut }: Cut): Promise<string | undefined> {
  const problem = findProblemOfForm(file !== undefined && isGguf(file) ? file : model)
  return problem ?? explain(await readLocalConfig(model), family, cut)
}

/** The same of any cut of some models, and what they store. Configs are read once; without one, saved files say it. */
export async function prepareSliceFacts(models: CutModel[]): Promise<SliceFacts> {
  const configs = new Map<string, ModelConfig | undefined>()
  for (const id of new Set(models.map(({ id }) => id))) {
    if (existsSync(join(id, 'config.json'))) configs.set(id, await readLocalConfig(id))
  }
  const dtypes = new Map(models.flatMap(({ id, checkpointDtype }) => (checkpointDtype ? [[id, checkpointDtype]] : [])))
  return {
    findProblem: ({ id, family, layers }, removed) =>
      findProblemOfForm(id) ?? explain(configs.get(id), family, { layers, removed }),
    findStoredDtype: ({ id }) => dtypes.get(id) ?? configs.get(id)?.storedDtype ?? null,
  }
}

/** Why mergekit reads no model of such a form. */
function findProblemOfForm(model: string): string | undefined {
  if (isGguf(model)) return NO_GGUF
  return isLocalAdapter(model) ? NO_ADAPTER : undefined
}

function explain(
  config: ModelConfig | undefined,
  family: string | undefined,
  { layers, removed }: Pick<Cut, 'layers' | 'removed'>,
): string | undefined {
  if (config?.origin !== undefined) return NO_GGUF
  const known = config?.modelType ?? family
  return known === undefined ? undefined : findMergekitProblem(known, keepLayers(layers, removed), config?.raw)
}

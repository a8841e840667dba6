import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type ModelConfig, readModelConfig } from '../../checkpoint/config.js'
import type { Block } from '../../layers/block.js'
import { keepLayers } from '../../prune/layer-numbers.js'
import { findMergekitProblem } from '../../prune/mergekit-support.js'
import type { CutModel, FindProblem } from '../../report/cut-problem.js'

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
export async function readMergekitProblem({ model, family, ...cut }: Cut): Promise<string | undefined> {
  const config = existsSync(model) ? await readModelConfig(model) : undefined
  return explain(config, family, cut)
}

/** The same of any cut of some models, whose configs are read once; those without config.json go by their family. */
export async function prepareMergekitProblems(models: CutModel[]): Promise<FindProblem> {
  const configs = new Map<string, ModelConfig>()
  for (const id of new Set(models.map(({ id }) => id))) {
    if (existsSync(join(id, 'config.json'))) configs.set(id, await readModelConfig(id))
  }
  return ({ id, family, layers }, removed) => explain(configs.get(id), family, { layers, removed })
}

function explain(
  config: ModelConfig | undefined,
  family: string | undefined,
  { layers, removed }: Pick<Cut, 'layers' | 'removed'>,
): string | undefined {
  const known = config?.modelType ?? family
  return known === undefined
    ? undefined
    : findMergekitProblem(known, keepLayers(layers, removed), config?.raw)
}

import { basename, join, resolve } from 'node:path'
import { LayerpruneError } from '../../base/errors.js'
import { isObject } from '../../base/is-object.js'
import { nameFlag } from '../../base/name-option.js'
import { chooseModelWeights, type LocatedModel, locateModel, provideWeights } from '../../engine/model.js'
import { readJsonObject } from '../../files/checkpoint/config.js'
import { openSafetensors } from '../../files/checkpoint/safetensors.js'
import { describeDecoder } from '../../model/builder/build-decoder.js'
import { SCHEMAS } from '../../results/documents/schemas.js'
import { assertCounts } from '../run/run-options.js'
import { findPlan } from '../write-model/find-plan.js'
import { formatAxolotlConfig } from './axolotl.js'
import { formatPeftScript } from './peft-script.js'
import { changeSettings, chooseSettings } from './settings.js'
import { describeUnreached, findTargets, nameInTransformers } from './targets.js'
import type { Training } from './training.js'
import { estimateEpochs, nameTrainingData, type TrainingDataOptions } from './training-data.js'

const TOKENIZER_CONFIG = 'tokenizer_config.json'

export interface RecipeOptions extends TrainingDataOptions {
  /** Folder of the pruned model, in safetensors. */
  model: string
  /** Tokens per sequence; if omitted, the paper's number for a model of that size. */
  maxLength?: number | undefined
  /** Steps of training; if omitted, the paper's 5,000. */
  steps?: number | undefined
}

export interface Recipe {
  training: Training
  /** Describes targets that the adapter cannot reach; undefined if it reaches all. */
  unreached: string | undefined
  /** Content by file name. */
  files: Record<string, string>
}

/**
 * Writes what to run next on a GPU to heal a pruned model: an axolotl config and a PEFT script with the paper's
 * settings (Gromov et al. 2024, arXiv 2403.17887), filled in with model, data and lengths.
 * @throws UsageError if the data is of a kind that cannot be trained on
 * @throws LayerpruneError if model or data cannot be found, or the family is not known
 */
export async function makeRecipe(options: RecipeOptions): Promise<Recipe> {
  const located = await locateModel({ model: options.model })
  if (located.config.wrapper !== null) {
    throw new LayerpruneError(
      `no recipe can be written for ${located.config.wrapper}: its towers have modules of the same names as its decoder`,
      { hint: `train the pruned model with the tools of its own family, or use prune ${nameFlag('repair')}` },
    )
  }
  if (located.gguf !== undefined) {
    throw new LayerpruneError(`no recipe can be written for ${located.id}: axolotl and PEFT read no GGUF files`, {
      hint: 'prune the safetensors checkpoint of the model by the same layers, and train that',
    })
  }
  await provideWeights(located, chooseModelWeights(located, { format: 'safetensors' }, 'change'))
  const { folder, config, source } = located
  const { tensors } = await openSafetensors(folder, source.names)
  const targets = nameInTransformers(findTargets(describeDecoder(config, tensors)), config.family)
  const stored = [...tensors.values()].reduce(
    (sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1),
    0,
  )
  const whole = await countWholeLayers(located)
  const chosen = chooseSettings(config.family, (stored * whole) / config.layers, config.maxPositions)
  const { maxLength = chosen.maxLength, steps = chosen.steps } = options
  assertCounts({ 'max length': maxLength, steps })
  const settings = changeSettings(chosen, { maxLength, steps })
  if (config.maxPositions !== null && maxLength > config.maxPositions) {
    throw new LayerpruneError(`max length ${maxLength} exceeds the ${config.maxPositions} positions of the model`)
  }
  const data = await nameTrainingData(options)
  const training: Training = {
    schema: SCHEMAS.recipe,
    model: located.id,
    data,
    settings,
    epochs: await estimateEpochs(data, settings),
    targets,
    output: `${basename(resolve(folder))}-healed`,
    padToken: await findPadToken(located),
  }
  return {
    training,
    unreached: describeUnreached(config.family, targets),
    files: { 'axolotl.yaml': formatAxolotlConfig(training), 'heal.py': formatPeftScript(training) },
  }
}

/** Layers of the whole model if the folder holds the plan of its pruning, else of this one. */
async function countWholeLayers(located: LocatedModel): Promise<number> {
  return (await findPlan(located))?.model.layers ?? located.config.layers
}

/** The token that ends a text, if the tokenizer has none for padding. */
async function findPadToken({ folder, source }: LocatedModel): Promise<string | null> {
  if (!source.names.includes(TOKENIZER_CONFIG)) return null
  const { pad_token: pad, eos_token: end } = (await readJsonObject(join(folder, TOKENIZER_CONFIG))) ?? {}
  if (pad !== undefined && pad !== null) return null
  const token = isObject(end) ? end.content : end
  return typeof token === 'string' ? token : null
}

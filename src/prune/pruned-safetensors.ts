import { describeDecoder } from '../builder/build-decoder.js'
import type { ModelConfig } from '../checkpoint/config.js'
import { QUANTIZATION_KEYS } from '../checkpoint/plain-weights.js'
import {
  openSafetensors,
  type SafetensorsCheckpoint,
  type SafetensorsDtype,
  type TensorLocation,
} from '../checkpoint/safetensors.js'
import type { WholeAndPruned } from '../documents/prune-result.js'
import { LayerpruneError } from '../errors.js'
import type { LocatedModel } from '../model.js'
import type { Replacement } from '../weights/replacement.js'
import { planConfigs } from './config-files.js'
import { countExtraLayers } from './layer-keys.js'
import { findLayers, type KeptLayers, keepExtraLayers } from './layer-numbers.js'
import { type PlannedModel, sumPlanned, sumSizes } from './planned-file.js'
import type { PruneConfigOptions } from './prune-config.js'
import {
  countElements,
  type KeptTensor,
  keepTensors,
  measureKept,
  planSafetensors,
} from './safetensors-files.js'

interface Options {
  replacements?: ReadonlyMap<string, Replacement> | undefined
  unproven?: boolean | undefined
  onNote?: ((message: string) => void) | undefined
}

/**
 * Weights, index and configs of a safetensors model without some of its layers.
 * @throws LayerpruneError if weights or config cannot be read, the config cannot say what layers need, or the
 *   family is not proven and `unproven` is not set
 */
export async function planPrunedSafetensors(
  { folder, config, source }: LocatedModel,
  layers: KeptLayers,
  { replacements, unproven, onNote }: Options,
): Promise<PlannedModel> {
  const checkpoint = await openSafetensors(folder, source.names)
  const { prefix, extraLayers } = findLayers(
    checkpoint.tensors.keys(),
    layers.whole,
    countExtraLayers(config.raw),
  )
  const kept = keepTensors(checkpoint, prefix, keepExtraLayers(layers, extraLayers))
  const configs = await planConfigs(folder, {
    layers,
    tensorPrefix: prefix,
    ...findDescription(config, checkpoint, kept),
    unproven,
    onNote,
  })
  const weights = await planSafetensors(folder, checkpoint, kept, replacements)
  const bytes = { whole: await sumSizes(checkpoint.files), pruned: sumPlanned(weights) }
  return {
    files: [...weights, ...configs.files],
    sizes: { parameters: countParameters(checkpoint, kept), bytes },
    unproven: configs.unproven,
  }
}

const FLOATS: readonly string[] = ['F64', 'F32', 'F16', 'BF16'] satisfies SafetensorsDtype[]

/** Null if a matrix is packed into integers or has scales beside it: its elements are then not its parameters. */
function countParameters({ tensors }: SafetensorsCheckpoint, kept: KeptTensor[]): WholeAndPruned | null {
  const all = [...tensors.values()]
  if (all.some(({ dtype }) => !FLOATS.includes(dtype))) return null
  return { whole: countElements(all), pruned: countElements(kept.map(measureKept)) }
}

/** How the builder of graphs understands configs of this model, or why it does not. */
function findDescription(
  config: ModelConfig,
  { tensors }: SafetensorsCheckpoint,
  kept: KeptTensor[],
): Pick<PruneConfigOptions, 'describe' | 'undescribed'> {
  const pruned = new Map<string, TensorLocation>(kept.map(({ name, source }) => [name, source]))
  const { ignoredKeys = [] } = config
  const describe = (config: ModelConfig, isPruned: boolean) =>
    describeDecoder({ ...withoutQuantization(config), ignoredKeys }, isPruned ? pruned : tensors)
  try {
    describe(config, false)
    return { describe }
  } catch (error) {
    if (!(error instanceof LayerpruneError)) throw error
    return { undescribed: error.message }
  }
}

/** Layers compute the same however their weights are stored, and bytes are copied as they are. */
function withoutQuantization(config: ModelConfig): ModelConfig {
  const raw = { ...config.raw }
  for (const key of QUANTIZATION_KEYS) delete raw[key]
  return { ...config, raw }
}

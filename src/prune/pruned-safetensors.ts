import type { ModelConfig } from '../checkpoint/config.js'
import {
  openSafetensors,
  type SafetensorsCheckpoint,
  type TensorLocation,
} from '../checkpoint/safetensors.js'
import { LayerpruneError } from '../errors.js'
import { describeDecoder } from '../graph/build/build-decoder.js'
import type { LocatedModel } from '../model.js'
import { planConfigs } from './config-files.js'
import { findLayerPrefix, type KeptLayers } from './layer-numbers.js'
import type { PlannedFile } from './planned-file.js'
import { type KeptTensor, keepTensors, planSafetensors, type Replacement } from './safetensors-files.js'

interface Options {
  replacements?: ReadonlyMap<string, Replacement> | undefined
  onNote?: ((message: string) => void) | undefined
}

/**
 * Weights, index and configs of a safetensors model without some of its layers.
 * @throws LayerpruneError where weights or config cannot be read, or the config cannot say what layers need
 */
export async function planPrunedSafetensors(
  { folder, config, source }: LocatedModel,
  layers: KeptLayers,
  { replacements, onNote }: Options,
): Promise<PlannedFile[]> {
  const checkpoint = await openSafetensors(folder, source.names)
  const prefix = findLayerPrefix(checkpoint.tensors.keys(), layers.whole)
  const kept = keepTensors(checkpoint, prefix, layers)
  const configs = await planConfigs(folder, {
    layers,
    tensorPrefix: prefix,
    describe: findDescription(config, checkpoint, kept, onNote),
    onNote,
  })
  return [...(await planSafetensors(folder, checkpoint, kept, replacements)), ...configs]
}

/** How the builder of graphs understands configs of this model; undefined where it does not. */
function findDescription(
  config: ModelConfig,
  { tensors }: SafetensorsCheckpoint,
  kept: KeptTensor[],
  onNote: Options['onNote'],
) {
  const pruned = new Map<string, TensorLocation>(kept.map(({ name, source }) => [name, source]))
  const describe = (config: ModelConfig, isPruned: boolean) =>
    describeDecoder(config, isPruned ? pruned : tensors)
  try {
    describe(config, false)
    return describe
  } catch (error) {
    if (!(error instanceof LayerpruneError)) throw error
    onNote?.(
      `config.json was cut by the names of its keys, not proven to fit, for the model cannot be run here: ${error.message}`,
    )
    return undefined
  }
}

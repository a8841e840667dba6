import { LayerpruneError } from '../../base/errors.js'
import { type LocatedModel, openTensors, type TensorFormat } from '../../engine/model.js'
import { interpretConfig, type ModelConfig } from '../../files/checkpoint/config.js'
import { readPackedTensors } from '../../files/checkpoint/packed/read-packed.js'
import type { SafetensorsCheckpoint } from '../../files/checkpoint/safetensors.js'
import type { Replacement } from '../../files/weights/replacement.js'
import { describeDecoder } from '../../model/builder/build-decoder.js'
import type { WholeAndPruned } from '../../results/documents/prune-result.js'
import { findLayers, type KeptLayers, keepExtraLayers } from '../write-model/layer-numbers.js'
import { type PlannedModel, sumPlanned, sumSizes } from '../write-model/planned-file.js'
import {
  countElements,
  type KeptTensor,
  keepTensors,
  measureKept,
  planSafetensors,
} from '../write-model/safetensors-files.js'
import { planConfigs } from './config-files.js'
import { countExtraLayers } from './layer-keys.js'
import { unpackReplaced } from './packed-replacements.js'
import { type PruneConfigOptions, pruneConfig } from './prune-config.js'
import { listAsPlain } from './quantization-lists.js'

type Tensors = SafetensorsCheckpoint['tensors']

interface Options {
  replacements?: ReadonlyMap<string, Replacement> | undefined
  unproven?: boolean | undefined
  onNote?: ((message: string) => void) | undefined
}

/**
 * Weights, index and configs of a model without some of its layers, as safetensors, whatever form its tensors have.
 * @throws LayerpruneError if weights or config cannot be read, the config cannot say what layers need, or the
 *   family is not proven and `unproven` is not set
 */
export async function planPrunedSafetensors(
  { folder, config, source }: LocatedModel,
  format: TensorFormat,
  layers: KeptLayers,
  { replacements = new Map(), unproven, onNote }: Options,
): Promise<PlannedModel> {
  const checkpoint = await openTensors({ config, source }, format)
  const { prefix, extraLayers } = findLayers(checkpoint.tensors.keys(), layers.whole, countExtraLayers(config.raw))
  const copied = keepTensors(checkpoint, prefix, keepExtraLayers(layers, extraLayers))
  const logical = logicalTensors(config, checkpoint.tensors)
  const { kept, modules } = unpackReplaced(copied, logical, replacements)
  const configs = await planConfigs(folder, {
    layers,
    tensorPrefix: prefix,
    ...findDescription(config, checkpoint, kept),
    unproven,
    onNote,
    edit: (config) => {
      if (modules.length > 0) listAsPlain(config, modules, findPlainHead(logical))
    },
  })
  const weights = await planSafetensors(checkpoint, kept, replacements)
  const bytes = { whole: await sumSizes(checkpoint.files), pruned: sumPlanned(weights) }
  return {
    files: [...weights, ...configs.files],
    sizes: { parameters: countParameters(config, checkpoint, kept), bytes },
    unproven: configs.unproven,
  }
}

/**
 * The tensors and the config of a model without some of its layers, to be written in another form.
 * @throws LayerpruneError if the config cannot say what the kept layers need, or a tensor has a part for each layer
 */
export function cutCheckpoint(
  config: ModelConfig,
  checkpoint: SafetensorsCheckpoint,
  layers: KeptLayers,
): { config: ModelConfig; checkpoint: SafetensorsCheckpoint } {
  if (layers.kept.length === layers.whole) return { config, checkpoint }
  const { prefix, extraLayers } = findLayers(checkpoint.tensors.keys(), layers.whole, countExtraLayers(config.raw))
  const kept = keepTensors(checkpoint, prefix, keepExtraLayers(layers, extraLayers))
  const shared = kept.find(({ perLayer }) => perLayer !== undefined)
  if (shared !== undefined) {
    throw new LayerpruneError(`tensor ${shared.source.name} has a part for each layer`, {
      hint: 'write the pruned model first, with prune, and export that',
    })
  }
  const description = findDescription(config, checkpoint, kept)
  const cut = pruneConfig(config.raw, { layers, tensorPrefix: prefix, ...description })
  const { dialect, origin = 'config.json' } = config
  const tensors: Tensors = new Map(kept.map(({ name, source }) => [name, { ...source, name }]))
  return { config: { ...interpretConfig(cut.config, origin), dialect, origin }, checkpoint: { ...checkpoint, tensors } }
}

/** The module of the head, if its weights are plain. */
function findPlainHead(logical: Tensors): string | undefined {
  const head = [...logical.values()].find(({ name }) => /(^|\.)(lm_head|embed_out)\.weight$/.test(name))
  if (head === undefined) return 'lm_head'
  return head.expression === undefined ? head.name.replace(/\.weight$/, '') : undefined
}

/** Null if the weights have a form that cannot be read, whose elements are not the model's parameters. */
function countParameters(
  config: ModelConfig,
  { tensors }: SafetensorsCheckpoint,
  kept: KeptTensor[],
): WholeAndPruned | null {
  const pruned: Tensors = new Map(
    kept.map((tensor) => [tensor.name, { ...tensor.source, name: tensor.name, shape: measureKept(tensor).shape }]),
  )
  const [whole, left] = [tensors, pruned].map((tensors) => readLogical(config, tensors))
  if (whole === undefined || left === undefined) return null
  return { whole: countElements([...whole.values()]), pruned: countElements([...left.values()]) }
}

/** How the builder of graphs understands configs of this model, or why it does not. */
function findDescription(
  config: ModelConfig,
  { tensors }: SafetensorsCheckpoint,
  kept: KeptTensor[],
): Pick<PruneConfigOptions, 'describe' | 'undescribed'> {
  const pruned: Tensors = new Map(kept.map(({ name, source }) => [name, { ...source, name }]))
  const { ignoredKeys = [] } = config
  const describe = (config: ModelConfig, isPruned: boolean) =>
    describeDecoder({ ...config, ignoredKeys }, logicalTensors(config, isPruned ? pruned : tensors))
  try {
    describe(config, false)
    return { describe }
  } catch (error) {
    if (!(error instanceof LayerpruneError)) throw error
    return { undescribed: error.message }
  }
}

/** The tensors by the builder's names, as stored: layers compute the same in any form, readable or not. */
function logicalTensors(config: ModelConfig, tensors: Tensors): Tensors {
  return readLogical(config, tensors) ?? tensors
}

/** Undefined if the weights have a form that cannot be read. */
function readLogical(config: ModelConfig, tensors: Tensors): Tensors | undefined {
  try {
    return readPackedTensors(config.raw, tensors).tensors
  } catch (error) {
    if (!(error instanceof LayerpruneError)) throw error
    return undefined
  }
}

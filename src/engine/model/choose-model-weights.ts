import { LayerpruneError } from '../../base/errors.js'
import { nameOption } from '../../base/name-option.js'
import {
  type ChosenWeights,
  chooseWeights,
  type Purpose,
  type WeightOptions,
} from '../../files/checkpoint/choose-weights.js'
import type { ModelSourceOptions } from '../../files/checkpoint/model-source.js'
import { ADAPTER_FILE } from '../../files/checkpoint/other-forms.js'
import { isShardIndex, listShards } from '../../files/checkpoint/shards.js'
import { isKnownDecoder } from '../../model/builder/build-decoder.js'
import { type LocatedAdapter, type LocatedModel, TOKENIZER_FILES } from './locate-model.js'

/**
 * Chooses which weights of a model to read, and says so if it could have been others.
 * @throws UsageError if the options contradict each other
 * @throws LayerpruneError if the model does not have what was asked for
 */
export function chooseModelWeights(
  { id, config, gguf, adapter, source: { names } }: LocatedModel,
  options: WeightOptions & Pick<ModelSourceOptions, 'onNote'>,
  purpose: Purpose,
): ChosenWeights {
  const isKnownFamily = isKnownDecoder(config)
  const facts = { id, names, family: config.modelType, isKnownFamily, gguf: gguf?.name }
  const { weights, note } = chooseWeights(facts, options, purpose)
  if (adapter !== undefined) assertMergeable(adapter, weights, purpose)
  if (note !== undefined) options.onNote?.(note)
  if (weights.format !== 'gguf' && names.includes(ADAPTER_FILE)) {
    options.onNote?.(
      `${ADAPTER_FILE} is beside the weights, which are read alone; transformers would load the adapter and its base instead`,
    )
  }
  if (weights.format !== 'onnx' && config.wrapper !== null) {
    options.onNote?.(`${config.wrapper}: only its decoder is run, on text alone; images and sound have no part in it`)
  }
  return weights
}

/** @throws LayerpruneError if an adapter cannot be merged into such weights, or would have to be written merged */
function assertMergeable({ id, base }: LocatedAdapter, weights: ChosenWeights, purpose: Purpose): void {
  if (purpose !== 'measure') {
    throw new LayerpruneError(`${id} is an adapter, which is measured and evaluated but not changed`, {
      hint: `merge it into ${base} with peft (merge_and_unload), and name the merged model`,
    })
  }
  const { format, computedIn } = { computedIn: 'fp32', ...weights }
  if (format === 'onnx' || format === 'gguf') {
    throw new LayerpruneError(`the adapter ${id} cannot be merged into the ${format} weights of ${base}`, {
      hint: 'name the checkpoint that it was trained on with `base`: safetensors or PyTorch files',
    })
  }
  if (computedIn === 'fp32' || computedIn === 'q8') return
  throw new LayerpruneError(`an adapter is merged in fp32, but ${nameOption('dtype', computedIn)} was given`, {
    hint: 'omit `dtype`',
  })
}

/**
 * Makes sure that the tokenizer and the chosen weights are in the folder; files beside a graph are named in the graph.
 * @throws LayerpruneError if one cannot be downloaded, or the index of shards is damaged
 */
export async function provideWeights({ folder, source }: LocatedModel, { format, file }: ChosenWeights) {
  if (format === 'gguf') return
  await source.provide(TOKENIZER_FILES)
  if (file === undefined) return
  await source.provide([file])
  if (format !== 'onnx' && isShardIndex(file)) await source.provide(await listShards(folder, file))
}

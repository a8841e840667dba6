import type { ProgressOptions } from '../base/progress.js'
import type { Purpose } from '../files/checkpoint/choose-weights.js'
import type { ModelSourceOptions } from '../files/checkpoint/model-source.js'
import { readHubSettings } from '../files/hub/settings.js'
import type { BuildOptions } from '../model/builder/build-decoder.js'
import { assertFiniteWeights } from '../model/graph/checks/finite-weights.js'
import { chooseModelWeights, provideWeights } from './model/choose-model-weights.js'
import { locateModel, type ModelOptions } from './model/locate-model.js'
import { type Model, openWeights } from './model/open-weights.js'

export type { Format, TensorFormat } from '../files/checkpoint/choose-weights.js'
export { chooseModelWeights, provideWeights } from './model/choose-model-weights.js'
export {
  interpretGguf,
  type LocatedAdapter,
  type LocatedGguf,
  type LocatedModel,
  locateModel,
  type ModelOptions,
} from './model/locate-model.js'
export { type Model, openStored, openTensors, openWeights } from './model/open-weights.js'

/**
 * Opens a model: reads its config, and its graph from ONNX or by building it from tensors. Its weights are neither
 * read nor changed.
 * @param build  how a graph is built; one that is read stays as it is
 * @throws UsageError if the options contradict each other
 * @throws LayerpruneError if something is missing, damaged or not supported
 */
export async function openModel(
  options: ModelOptions,
  purpose: Purpose = 'measure',
  build: BuildOptions = {},
): Promise<Model> {
  const located = await locateModel(options)
  const weights = chooseModelWeights(located, options, purpose)
  await provideWeights(located, weights)
  return openWeights(located, weights, options, build)
}

export interface PrepareOptions extends Pick<ModelSourceOptions, 'signal' | 'onNote'>, ProgressOptions {
  /** Whether the run checks plain weights itself, while it reads them. */
  checksInRun?: boolean | undefined
}

/**
 * Makes an opened model ready to run: checks that its weights are finite and, if they are to be int8, makes them so
 * unless they are in the cache.
 * @throws LayerpruneError if a weight is not finite, or int8 weights cannot be made or written
 */
export async function prepareModel(
  model: Model,
  { signal, onNote, onProgress, checksInRun = false }: PrepareOptions = {},
): Promise<Model> {
  const { tensors } = model
  if (checksInRun && model.decoder.int8 === undefined && model.packing === null) return { ...model, isChecked: false }
  let { decoder } = model
  if (decoder.int8 === 'awaited') {
    const { quantizeDecoder } = await import('./int8/quantize-decoder.js')
    const cacheFolder = readHubSettings().layerpruneFolder
    decoder = await quantizeDecoder(decoder, { cacheFolder, tensors, signal, onNote, onProgress })
  }
  await assertFiniteWeights(decoder, { tensors, signal, onProgress })
  return { ...model, decoder }
}

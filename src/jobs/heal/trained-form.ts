import { UsageError } from '../../base/errors.js'
import { createRandom } from '../../base/random.js'
import type { TensorLocation } from '../../files/checkpoint/safetensors.js'
import { readTensor } from '../../files/weights/read-tensor.js'
import type { Replacement } from '../../files/weights/replacement.js'
import { type Adapter, type AdapterForm, addAdapters } from '../../model/gradient/adapters.js'
import { feedWeights } from '../../model/gradient/fed-weights.js'
import type { TrainedWeight } from '../../model/gradient/trained.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { assertCounts } from '../run/run-options.js'
import type { Parameters } from './optimizer.js'

export interface FormOptions {
  /** Trains the matrices of the modules themselves instead of low-rank adapters. */
  wholeMatrices?: boolean | undefined
  /** Rank of the adapters; 16 if omitted. */
  rank?: number | undefined
  /** Adapters are scaled by alpha / rank; if omitted, alpha is the rank. */
  alpha?: number | undefined
}

/** The trained parts of a model, and how they become weights of the checkpoint. */
export interface TrainedForm {
  /** Has the trained weights as inputs. */
  decoder: DecoderGraph
  trained: TrainedWeight[]
  /** Null if whole matrices are trained. */
  adapters: { form: AdapterForm; list: Adapter[] } | null
  /** Values before the first step. */
  start: Parameters
}

const DEFAULT_RANK = 16

/** Resolution of random values. */
const GRAINS = 2 ** 24

/**
 * Makes modules of a decoder trainable.
 * @param modules paths of modules with a matrix
 * @throws UsageError if rank or alpha is out of range
 * @throws LayerpruneError if a module cannot be trained
 */
export async function makeTrainable(
  decoder: DecoderGraph,
  tensors: ReadonlyMap<string, TensorLocation>,
  modules: readonly string[],
  { seed, wholeMatrices = false, rank = DEFAULT_RANK, alpha = rank }: FormOptions & { seed: number },
): Promise<TrainedForm> {
  assertCounts({ rank })
  if (!(alpha > 0 && Number.isFinite(alpha))) {
    throw new UsageError(`alpha must be a number above 0, found ${alpha}`)
  }
  if (wholeMatrices) {
    const names = modules.map((module) => `${module}.weight`)
    const fed = feedWeights(decoder, names, tensors)
    const start = new Map<string, Float32Array>()
    for (const name of names) start.set(name, await readTensor(tensors.get(name)!))
    return { decoder: fed.decoder, trained: fed.fed, adapters: null, start }
  }
  const form = { rank, alpha }
  const adapted = addAdapters(decoder, modules, form)
  const trained = adapted.adapters.flatMap(({ into, back }) => [into, back])
  const start = startAdapters(adapted.adapters, seed)
  return { decoder: adapted.decoder, trained, adapters: { form, list: adapted.adapters }, start }
}

/** As PEFT starts them: A uniform within one over the root of its inputs, B zero, so that nothing is added at first. */
function startAdapters(adapters: Adapter[], seed: number): Parameters {
  const random = createRandom(seed)
  return new Map(
    adapters.flatMap(({ into, back }): [string, Float32Array][] => {
      const [rank, inputs] = into.shape as [number, number]
      const bound = 1 / Math.sqrt(inputs)
      const draw = () => bound * ((2 * random.below(GRAINS)) / GRAINS - 1)
      const down = Float32Array.from({ length: rank * inputs }, draw)
      return [
        [into.name, down],
        [back.name, new Float32Array(back.shape[0]! * rank)],
      ]
    }),
  )
}

/** The trained weights of the checkpoint, complete: adapters are added to the matrices that they belong to. */
export async function mergeTrained(
  { trained, adapters }: Pick<TrainedForm, 'trained' | 'adapters'>,
  parameters: Parameters,
  tensors: ReadonlyMap<string, TensorLocation>,
): Promise<Map<string, Replacement>> {
  if (adapters === null) {
    return new Map(trained.map(({ name, shape }) => [name, { shape, data: parameters.get(name)! }]))
  }
  const merged = new Map<string, Replacement>()
  for (const adapter of adapters.list) {
    const location = tensors.get(adapter.weight)!
    const data = await readTensor(location)
    addProduct(data, adapter, parameters)
    merged.set(adapter.weight, { shape: location.shape, data })
  }
  return merged
}

/** Adds scale * B A to a matrix, in place. */
function addProduct(matrix: Float32Array, { into, back, scale, outputsFirst }: Adapter, parameters: Parameters): void {
  const [down, up] = [parameters.get(into.name)!, parameters.get(back.name)!]
  const [rank, inputs] = into.shape as [number, number]
  const outputs = back.shape[0]!
  for (let output = 0; output < outputs; output++) {
    for (let input = 0; input < inputs; input++) {
      let sum = 0
      for (let index = 0; index < rank; index++) sum += up[output * rank + index]! * down[index * inputs + input]!
      matrix[outputsFirst ? output * inputs + input : input * outputs + output]! += scale * sum
    }
  }
}

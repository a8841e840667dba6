import { type Model, type ModelOptions, openModel } from '../../engine/model.js'
import { describeDecoder } from '../../model/builder/build-decoder.js'
import { addAdapters } from '../../model/gradient/adapters.js'
import { takeLossGraph } from '../../model/gradient/training-graph.js'
import { assertPlain, decoderTensors } from './heal-work.js'
import { listTargets } from './targets.js'

/** @throws LayerpruneError if the model, or what a cut leaves of it, cannot be healed */
export async function openTrainable(options: ModelOptions): Promise<Model> {
  const model = await openModel({ ...options, onNote: undefined }, 'change')
  assertPlain(model)
  const tensors = decoderTensors(model)
  const modules = listTargets(describeDecoder(model.config, tensors), tensors)
  const { decoder, adapters } = addAdapters(model.decoder, modules, { rank: 1, alpha: 1 })
  const trained = adapters.flatMap(({ into, back }) => [into.name, back.name])
  takeLossGraph(decoder, { trained, hiddenSize: model.config.hiddenSize })
  return model
}

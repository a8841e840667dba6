import { LayerpruneError } from '../../base/errors.js'
import { chooseModelWeights, locateModel, type ModelOptions, provideWeights } from '../../engine/model.js'
import type { Block } from '../../model/layers/block.js'
import { keepLayers } from '../write-model/layer-numbers.js'
import { planPrunedGguf } from './gguf/pruned-gguf.js'
import { planPrunedSafetensors } from './pruned-safetensors.js'

/**
 * Why `prune` cannot write a model without some layers, for each of several cuts; undefined for those that it can write.
 * A graph defines its layers itself, and an adapter is never written.
 * @throws LayerpruneError if the model cannot be read
 */
export async function explainUnwritable(options: ModelOptions, cuts: Block[][]): Promise<(string | undefined)[]> {
  const model = await locateModel({ ...options, onNote: undefined })
  const weights = chooseModelWeights(model, { ...options, onNote: undefined }, 'measure')
  const { format } = weights
  if (format === 'onnx' || model.adapter !== undefined) return cuts.map(() => undefined)
  await provideWeights(model, weights)
  const plan = (removed: Block[]) => {
    const layers = keepLayers(model.config.layers, removed)
    return format === 'gguf'
      ? planPrunedGguf({ ...model, gguf: model.gguf! }, layers)
      : planPrunedSafetensors(model, format, layers, { unproven: true })
  }
  const problems: (string | undefined)[] = []
  for (const removed of cuts) problems.push(await explain(() => plan(removed)))
  return problems
}

async function explain(plan: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await plan()
    return undefined
  } catch (error) {
    if (error instanceof LayerpruneError) return error.message
    throw error
  }
}

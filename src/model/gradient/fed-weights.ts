import { LayerpruneError } from '../../base/errors.js'
import type { TensorLocation } from '../../files/checkpoint/safetensors.js'
import type { DecoderGraph } from '../graph/decoder-graph.js'
import { GraphWriter } from '../graph/onnx/graph-writer.js'
import { cloneModel, DataType, makeFloatTensor, makeNode, makeValueInfo } from '../graph/onnx/onnx.js'
import { readStoredPart } from '../graph/stored-part.js'
import { takeRows } from './adapters.js'
import type { TrainedWeight } from './trained.js'

/**
 * Makes stored tensors inputs of the graph in float32, so that they can change from step to step.
 * @param names tensors of the checkpoint, each a matrix or a vector
 * @returns a new graph; the given one is not changed
 * @throws LayerpruneError if the graph does not compute with one of them
 */
export function feedWeights(
  decoder: DecoderGraph,
  names: readonly string[],
  tensors: ReadonlyMap<string, TensorLocation>,
): { decoder: DecoderGraph; fed: TrainedWeight[] } {
  const model = cloneModel(decoder.model)
  const graph = model.graph
  const writer = new GraphWriter()
  const fed = names.map((name) => ({ name, shape: tensors.get(name)!.shape }))
  for (const weight of fed) {
    const initializers = graph.initializer.filter(({ name }) => readStoredPart(name).tensor === weight.name)
    if (initializers.length === 0 || weight.shape.length > 2) {
      throw new LayerpruneError(`${weight.name} cannot be trained: it is not a matrix or vector of the graph`)
    }
    graph.initializer = graph.initializer.filter((initializer) => !initializers.includes(initializer))
    graph.input.push(makeValueInfo(weight.name, DataType.FLOAT, weight.shape))
    for (const { name } of initializers) {
      const { rows } = readStoredPart(name)
      if (rows === undefined) continue
      const part = writer.inScope(name, () => takeRows(writer, weight, [rows]))
      writer.nodes.push(makeNode('Identity', [part], [name]))
    }
  }
  const { node } = graph
  graph.node = []
  writer.addTo(graph)
  graph.node.push(...node)
  return { decoder: { ...decoder, model }, fed }
}

/**
 * Turns trained inputs of the graph back into stored weights with their values.
 * @returns a new graph; the given one is not changed
 */
export function storeWeights(
  decoder: DecoderGraph,
  trained: readonly TrainedWeight[],
  values: ReadonlyMap<string, Float32Array>,
): DecoderGraph {
  const model = cloneModel(decoder.model)
  const graph = model.graph
  const names = new Set(trained.map(({ name }) => name))
  graph.input = graph.input.filter(({ name }) => !names.has(name))
  graph.initializer.push(...trained.map(({ name, shape }) => makeFloatTensor(name, shape, values.get(name)!)))
  return { ...decoder, model }
}

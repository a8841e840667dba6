import { copyMessage, DataType, type ModelProto, type TensorProto } from '../onnx/onnx.js'

/** Whether a graph multiplies by int8 weights. */
export function hasInt8Weights({ graph }: ModelProto): boolean {
  return graph.initializer.some(({ dataType }) => dataType === DataType.INT8)
}

/**
 * Gives an int8 weight another name for each further node that reads it: ONNX Runtime replaces such a weight node by
 * node and fails if two nodes share it. The bytes stay shared.
 * @returns a new model that shares other nodes and the weights with the given one, which is not changed
 */
export function separateInt8Weights(model: ModelProto): ModelProto {
  const { graph } = model
  const weights = new Map(
    graph.initializer.filter(({ dataType }) => dataType === DataType.INT8).map((weight) => [weight.name, weight]),
  )
  const readers = new Map<string, number>()
  const copies: TensorProto[] = []
  const takeName = (name: string): string => {
    const weight = weights.get(name)
    if (weight === undefined) return name
    const before = readers.get(name) ?? 0
    readers.set(name, before + 1)
    if (before === 0) return name
    const copy = copyMessage(weight, { name: `${name}/of_reader_${before + 1}` })
    copies.push(copy)
    return copy.name
  }
  const node = graph.node.map((node) =>
    node.input.some((name) => weights.has(name)) ? copyMessage(node, { input: node.input.map(takeName) }) : node,
  )
  return copyMessage(model, {
    graph: copyMessage(graph, { node, initializer: [...graph.initializer, ...copies] }),
  })
}

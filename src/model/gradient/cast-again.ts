import type { WeightExpression } from '../../files/checkpoint/weight-expression.js'
import type { DecoderGraph } from '../graph/decoder-graph.js'
import { copyMessage, type NodeProto } from '../graph/onnx/onnx.js'
import { indexGraph } from '../graph/onnx/topology.js'
import { isHalfMatrix } from '../graph/weight-sizes.js'

/**
 * Gives nodes of the backward pass their own casts of weights that are cast or decoded in each run, from second names of
 * the same bytes. Sharing the casts of the forward pass would keep all weights in float32 from one pass to the other.
 * @param nodes of the decoder's graph; their inputs change in place, as its lists do
 * @returns the packed weights of the graph
 */
export function castAgain(decoder: DecoderGraph, nodes: readonly NodeProto[]): Map<string, WeightExpression> {
  const { graph } = decoder.model
  const { producer, nodes: all } = indexGraph(graph)
  const initializers = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]))
  const packed = new Map(decoder.packed)
  const casts: NodeProto[] = []
  const again = new Map<string, string>()
  const copyWeight = (tensor: string): string => {
    const result = `${tensor}/again`
    const expression = packed.get(tensor)
    if (expression !== undefined) {
      graph.initializer.push(copyMessage(initializers.get(tensor)!, { name: result }))
      packed.set(result, renameParts(expression))
      return result
    }
    const cast = all[producer.get(tensor) ?? -1]
    const stored = cast?.opType === 'Cast' ? initializers.get(cast.input[0]!) : undefined
    if (cast === undefined || stored === undefined || !isHalfMatrix(stored)) return tensor
    const copy = `${stored.name}/again`
    graph.initializer.push(copyMessage(stored, { name: copy }))
    casts.push(copyMessage(cast, { name: result, input: [copy], output: [result] }))
    return result
  }
  const nameAgain = (tensor: string) => {
    const name = again.get(tensor) ?? copyWeight(tensor)
    again.set(tensor, name)
    return name
  }
  for (const node of nodes) node.input = node.input.map(nameAgain)
  graph.node.unshift(...casts)
  return packed
}

/** The same expression with renamed parts, so that ONNX Runtime does not merge the two. */
function renameParts<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(renameParts) as T
  const renamed = Object.entries(value).map(([key, inner]) => [key, renameParts(inner)])
  const copy = Object.fromEntries(renamed)
  return 'offsetBytes' in copy ? { ...copy, name: `${copy.name}/again` } : copy
}

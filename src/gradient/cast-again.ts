import type { DecoderGraph } from '../graph/decoder-graph.js'
import { copyMessage, type NodeProto } from '../graph/onnx.js'
import { indexGraph } from '../graph/topology.js'
import { isHalfMatrix } from '../graph/weight-sizes.js'

/**
 * Gives nodes that read weights which are cast in each run casts of their own, from second names of the same bytes.
 * A cast that the nodes forward share with those back would be kept from the one to the other, and with it all weights
 * in float32.
 * @param nodes of the decoder's graph; their inputs change in place, as its lists do
 */
export function castAgain({ model: { graph } }: DecoderGraph, nodes: readonly NodeProto[]): void {
  const { producer, nodes: all } = indexGraph(graph)
  const initializers = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]))
  const again = new Map<string, string>()
  const casts: NodeProto[] = []
  const nameAgain = (tensor: string): string => {
    const known = again.get(tensor)
    if (known !== undefined) return known
    const cast = all[producer.get(tensor) ?? -1]
    const stored = cast?.opType === 'Cast' ? initializers.get(cast.input[0]!) : undefined
    if (cast === undefined || stored === undefined || !isHalfMatrix(stored)) return tensor
    const [copy, result] = [`${stored.name}/again`, `${tensor}/again`]
    graph.initializer.push(copyMessage(stored, { name: copy }))
    casts.push(copyMessage(cast, { name: result, input: [copy], output: [result] }))
    again.set(tensor, result)
    return result
  }
  for (const node of nodes) node.input = node.input.map(nameAgain)
  graph.node.unshift(...casts)
}

import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import type { GraphProto } from '../graph/onnx/onnx.js'

/** Adds a writer's nodes and constants to a graph, in place; constants of the same name are equal. */
export function mergeNodes(graph: GraphProto, writer: GraphWriter): void {
  const known = new Set(graph.initializer.map(({ name }) => name))
  graph.node.push(...writer.nodes)
  graph.initializer.push(...[...writer.initializers.values()].filter(({ name }) => !known.has(name)))
  graph.valueInfo.push(...writer.valueInfos)
}

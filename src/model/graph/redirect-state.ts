import { findFusedNorm, makePlainNorm } from './fused-norms.js'
import type { GraphProto } from './onnx/onnx.js'

/**
 * Makes all readers of a state read another tensor of the same type and shape, in place. A fused norm that computes the
 * state is replaced by a plain norm of the other tensor.
 */
export function redirectState(graph: GraphProto, state: string, replacement: string): void {
  const index = findFusedNorm(graph, state)
  if (index !== undefined) graph.node[index] = makePlainNorm(graph.node[index]!, replacement)
  renameReads(graph, new Map([[state, replacement]]))
}

/** Renames tensors where nodes read them, in subgraphs too; in place. */
export function renameReads(graph: GraphProto, names: Map<string, string>): void {
  for (const node of graph.node) {
    node.input = node.input.map((name) => names.get(name) ?? name)
    for (const { g, graphs } of node.attribute) {
      for (const subgraph of g ? [g, ...graphs] : graphs) {
        renameReads(subgraph, names)
        for (const output of subgraph.output) output.name = names.get(output.name) ?? output.name
      }
    }
  }
}

import { type GraphProto, makeNode, type NodeProto } from './onnx.js'

/** Position of the sum among the outputs of a fused norm. */
export const SUM_OUTPUT = 3

/** The plain norm in each norm that adds a branch to the residual stream first: the sum is its fourth output. */
const FUSED_NORMS = new Map([
  ['SkipSimplifiedLayerNormalization', 'SimplifiedLayerNormalization'],
  ['SkipLayerNormalization', 'LayerNormalization'],
])

export function isFusedNorm({ opType }: NodeProto): boolean {
  return FUSED_NORMS.has(opType)
}

/** Position of the node of the fused norm that makes a state; undefined if none does. */
export function findFusedNorm(graph: GraphProto, state: string): number | undefined {
  const index = graph.node.findIndex((node) => isFusedNorm(node) && node.output[SUM_OUTPUT] === state)
  return index < 0 ? undefined : index
}

/** ONNX Runtime's default, if a fused norm states none. */
const DEFAULT_FUSED_EPSILON = 1e-12

/**
 * Makes everything that reads a state read another tensor of the same type and shape, in place. A fused norm that
 * makes the state and norms it is replaced by a plain norm of the other tensor, under the same name.
 */
export function redirectState(graph: GraphProto, state: string, replacement: string): void {
  const index = findFusedNorm(graph, state)
  if (index !== undefined) graph.node[index] = plainNorm(graph.node[index]!, replacement)
  renameReads(graph, new Map([[state, replacement]]))
}

function plainNorm(node: NodeProto, input: string): NodeProto {
  const epsilon = node.attribute.find(({ name }) => name === 'epsilon')?.f ?? DEFAULT_FUSED_EPSILON
  const opType = FUSED_NORMS.get(node.opType)!
  const parameters = opType === 'LayerNormalization' ? node.input.slice(2, 4) : node.input.slice(2, 3)
  const norm = makeNode(opType, [input, ...parameters.filter((name) => name !== '')], [node.output[0]!], {
    axis: -1,
    epsilon: { float: epsilon },
    stash_type: 1,
  })
  norm.name = node.name
  return norm
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

import { type GraphProto, makeNode, type NodeProto } from './onnx/onnx.js'

/** The plain norms of the norms that first add a branch to the residual stream. */
const PLAIN_NORMS = new Map([
  ['SkipSimplifiedLayerNormalization', 'SimplifiedLayerNormalization'],
  ['SkipLayerNormalization', 'LayerNormalization'],
])

/** Output index of the sum in a fused norm. */
export const SUM_OUTPUT = 3

/** ONNX Runtime's default epsilon. */
const DEFAULT_EPSILON = 1e-12

export function isFusedNorm({ opType }: NodeProto): boolean {
  return PLAIN_NORMS.has(opType)
}

/** The two tensors that a fused norm adds. */
export function fusedAddends({ input }: NodeProto): string[] {
  return input.slice(0, 2)
}

/** Position of the node of the fused norm that makes a state; undefined if none does. */
export function findFusedNorm(graph: GraphProto, state: string): number | undefined {
  const index = graph.node.findIndex((node) => isFusedNorm(node) && node.output[SUM_OUTPUT] === state)
  return index < 0 ? undefined : index
}

/** The norm without the sum, under the same name: it reads `input` instead. */
export function makePlainNorm(fused: NodeProto, input: string): NodeProto {
  const epsilon = fused.attribute.find(({ name }) => name === 'epsilon')?.f ?? DEFAULT_EPSILON
  const opType = PLAIN_NORMS.get(fused.opType)!
  const parameters = opType === 'LayerNormalization' ? fused.input.slice(2, 4) : fused.input.slice(2, 3)
  const norm = makeNode(opType, [input, ...parameters.filter((name) => name !== '')], [fused.output[0]!], {
    axis: -1,
    epsilon: { float: epsilon },
    stash_type: 1,
  })
  norm.name = fused.name
  return norm
}

import { fusedAddends, isFusedNorm, makePlainNorm, SUM_OUTPUT } from './fused-norms.js'
import { copyMessage, DataType, type ModelProto, makeNode, type NodeProto } from './onnx/onnx.js'

/** Input index of the bias in a fused norm. */
const BIAS_INPUTS = new Map([
  ['SkipSimplifiedLayerNormalization', 3],
  ['SkipLayerNormalization', 4],
])

/**
 * Splits each fused float32 norm into a sum and a norm. ONNX Runtime's kernels for these two are vectorized; its fused
 * kernel is not and takes two to six times as long.
 * @returns a new model that shares other nodes and the weights with the given one, which is not changed
 */
export function splitFusedNorms(model: ModelProto): ModelProto {
  const { graph } = model
  const isFloat = ({ dataType }: { dataType: number }) => dataType === DataType.FLOAT
  // with 16-bit weights the fused norm rounds only once
  const halves = new Set(graph.initializer.filter((tensor) => !isFloat(tensor)).map(({ name }) => name))
  const isSplittable = (node: NodeProto) => {
    const bias = node.input[BIAS_INPUTS.get(node.opType)!] ?? ''
    return bias === '' && !halves.has(node.input[2]!)
  }
  const node = graph.node.flatMap((node) => (isFusedNorm(node) && isSplittable(node) ? split(node) : [node]))
  return copyMessage(model, { graph: copyMessage(graph, { node }) })
}

function split(fused: NodeProto): NodeProto[] {
  const sum = fused.output[SUM_OUTPUT] || `${fused.output[0]}/sum`
  return [makeNode('Add', fusedAddends(fused), [sum]), makePlainNorm(fused, sum)]
}

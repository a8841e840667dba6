import type { DecoderGraph } from './decoder-graph.js'
import { DataType, type NodeProto, readInteger } from './onnx/onnx.js'

/** The precision of a graph, read from the graph itself and not from its file name. */
export interface GraphPrecision {
  /** transformers.js's name: fp32, fp16, bf16, q8, q4, q4f16, ... */
  dtype: string
  /**
   * Whether activations are quantized with one scale for a whole batch, so that a text's results would depend on the
   * other texts.
   */
  sharesScaleInBatch: boolean
}

/** Reads the precision of a decoder's weights and activations from its operators. */
export function describePrecision({ model, states }: DecoderGraph): GraphPrecision {
  const nodes = model.graph.node
  const sharesScaleInBatch = nodes.some(({ opType }) => /^DynamicQuantize(Linear|MatMul|LSTM)$/.test(opType))
  const half = usesHalfPrecision(nodes, model.graph.initializer, states)
  const bits = nodes.filter(({ opType }) => opType === 'MatMulNBits').map((node) => readInteger(node, 'bits') ?? 4)
  if (bits.length > 0) return { dtype: `q${Math.min(...bits)}${half ? 'f16' : ''}`, sharesScaleInBatch }
  if (nodes.some(({ opType }) => opType === 'MatMulBnb4')) return { dtype: 'bnb4', sharesScaleInBatch }
  if (nodes.some(({ opType }) => /^(MatMulInteger|QLinearMatMul|DequantizeLinear|QGemm|QAttention)/.test(opType))) {
    return { dtype: 'q8', sharesScaleInBatch }
  }
  if (model.graph.initializer.some(({ dataType, dims }) => dataType === DataType.BFLOAT16 && dims.length > 1)) {
    return { dtype: 'bf16', sharesScaleInBatch }
  }
  return { dtype: half ? 'fp16' : 'fp32', sharesScaleInBatch }
}

function usesHalfPrecision(
  nodes: NodeProto[],
  initializers: { dataType: number; dims: bigint[] }[],
  states: string[],
): boolean {
  const matrices = initializers.filter(({ dims }) => dims.length > 1)
  if (matrices.some(({ dataType }) => dataType === DataType.FLOAT16)) return true
  const toHalf = nodes.filter((node) => node.opType === 'Cast' && readInteger(node, 'to') === DataType.FLOAT16)
  return toHalf.some(({ output }) => states.includes(output[0]!))
}

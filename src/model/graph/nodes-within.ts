import type { Block } from '../layers/block.js'
import type { NodeProto } from './onnx/onnx.js'
import { nodesDownstream, nodesUpstream, type Topology } from './onnx/topology.js'

const PRODUCTS = new Set(['MatMul', 'FusedMatMul', 'Gemm', 'MatMulNBits', 'MatMulIntegerToFloat'])

/** Every node on the way from the state before a block to the state after it. */
export function nodesWithin(topology: Topology, states: string[], { start, end }: Block): NodeProto[] {
  const entry = topology.nodes[topology.producer.get(states[start]!) ?? -1]
  const downstream = nodesDownstream(topology, entry?.output ?? [states[start]!])
  return [...nodesUpstream(topology, [states[end]!])]
    .filter((position) => downstream.has(position))
    .map((position) => topology.nodes[position]!)
}

/** Whether a node is a product of the kind that weights take part in. */
export function isProduct({ opType }: NodeProto): boolean {
  return PRODUCTS.has(opType)
}

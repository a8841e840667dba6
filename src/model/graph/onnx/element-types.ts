import { DataType, elementType, type GraphProto, type NodeProto } from './onnx.js'
import type { Topology } from './topology.js'

/** Floating-point types that weights are stored in, and their names in safetensors. */
export const FLOAT_DTYPES: ReadonlyMap<DataType, 'F32' | 'F16' | 'BF16'> = new Map([
  [DataType.FLOAT, 'F32'],
  [DataType.FLOAT16, 'F16'],
  [DataType.BFLOAT16, 'BF16'],
])

/** Operators whose output has the type of an input other than the first. */
const TYPE_GIVING_INPUT = new Map([
  ['DequantizeLinear', 1],
  ['EmbedLayerNormalization', 2],
  ['GatherBlockQuantized', 2],
  ['MatMulIntegerToFloat', 2],
  ['Where', 1],
])

/**
 * Element type of a tensor: what the graph declares, else what follows from the nodes that produce it; UNDEFINED if
 * neither says.
 * @param topology of the same graph
 */
export function findElementType(graph: GraphProto, topology: Topology, tensor: string): DataType {
  const declared = new Map<string, DataType>()
  for (const info of [...graph.valueInfo, ...graph.output, ...graph.input]) {
    if (elementType(info) !== DataType.UNDEFINED) declared.set(info.name, elementType(info))
  }
  for (const { name, dataType } of graph.initializer) declared.set(name, dataType)
  const seen = new Set<string>()
  const infer = (name: string): DataType => {
    const known = declared.get(name)
    if (known !== undefined) return known
    const position = topology.producer.get(name)
    if (position === undefined || seen.has(name)) return DataType.UNDEFINED
    seen.add(name)
    const node = topology.nodes[position]!
    const stated = statedType(node)
    if (stated !== undefined) return stated
    const first = TYPE_GIVING_INPUT.get(node.opType) ?? 0
    for (const input of node.input.slice(first)) {
      const type = infer(input)
      if (type !== DataType.UNDEFINED) return type
    }
    return DataType.UNDEFINED
  }
  return infer(tensor)
}

/** The type that a node names itself; UNDEFINED if its inputs do not say either. */
function statedType(node: NodeProto): DataType | undefined {
  const attribute = (name: string) => node.attribute.find((candidate) => candidate.name === name)
  switch (node.opType) {
    case 'Cast':
      return Number(attribute('to')?.i ?? DataType.UNDEFINED)
    case 'Constant':
    case 'ConstantOfShape':
      return attribute('value')?.t?.dataType ?? DataType.FLOAT
    case 'Shape':
    case 'Size':
      return DataType.INT64
    case 'MatMulInteger':
      return DataType.INT32
    case 'DynamicQuantizeMatMul':
      return DataType.FLOAT
    case 'If':
    case 'Loop':
    case 'Scan':
      return DataType.UNDEFINED
    default:
      return undefined
  }
}

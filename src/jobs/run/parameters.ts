import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { DataType, type NodeProto, readInteger, type TensorProto } from '../../model/graph/onnx/onnx.js'
import { indexGraph, nodesDownstream, nodesUpstream, type Topology } from '../../model/graph/onnx/topology.js'
import { bitsOfWeight, countDims } from '../../model/graph/weight-sizes.js'

/** Learnt numbers of a decoder by purpose; a table that is also the head counts once, as embedding. */
export interface ParameterCounts {
  embedding: number
  attention: number
  /** Mixers other than attention: state spaces, linear attention, convolutions. */
  mixers: number
  mlp: number
  norms: number
  /** In layers, if the names do not tell their purpose. */
  other: number
  /** Final norm and language model head. */
  head: number
}

/** Tables and constants that are computed, not learnt, and the auxiliary tensors of quantised weights. */
const NOT_LEARNT =
  /(cos|sin)_cache|inv_freq|rotary|Constant|(?<!router\.|expert_)scale|zero_point|_zp|mask|(^|\/)floats(_\d+)?$|^integers|^layerprune\.|\.int8\.residuals$/i

const CHANGES_OF_FORM = new Set([
  'Add',
  'Cast',
  'Concat',
  'DequantizeLinear',
  'Exp',
  'Identity',
  'Mul',
  'Neg',
  'ReduceSum',
  'Reshape',
  'Slice',
  'Softplus',
  'Split',
  'Squeeze',
  'Sub',
  'Transpose',
  'Unsqueeze',
])

/** Parts of a layer by their usual names, in the order in which they are tried. */
const PARTS: [keyof ParameterCounts, RegExp][] = [
  ['norms', /(?<!norm_attn_)norm(?!_attn_norm)|[./]ln_?\d|ln_attn|ln_mlp|layer_scalar/i],
  ['embedding', /embed_tokens|per_layer_/i],
  ['mlp', /mlp|ffn|feed_?forward|expert|moe|[./]fc\d|dense_(4h_to_h|h_to_4h)/i],
  [
    'mixers',
    /mamba|linear_attn|rg_lru|temporal_block\.(conv_1d|linear_)|mixer\.(A_log|D|conv1d|dt_|in_proj|out_proj|x_proj)|[./]conv\./i,
  ],
  ['attention', /attn|attention|mixer\.[qkvo]_proj|layers\.\d+\.linear\./i],
]

/** Counts the learnt numbers of a decoder; a quantised value counts as one number. */
export function countParameters({ model, states }: DecoderGraph): ParameterCounts {
  const graph = model.graph
  const topology = indexGraph(graph)
  const beforeLayers = nodesUpstream(topology, [states[0]!], { shapes: true })
  const withinLayers = nodesUpstream(topology, addendsOf(states.at(-1)!, topology), { shapes: true })
  const inputs = graph.input.map(({ name }) => name)
  const usesTokens = new Set([...beforeLayers, ...nodesDownstream(topology, inputs)])
  const counts: ParameterCounts = {
    embedding: 0,
    attention: 0,
    mixers: 0,
    mlp: 0,
    norms: 0,
    other: 0,
    head: 0,
  }
  for (const tensor of graph.initializer) {
    const readers = topology.consumers.get(tensor.name) ?? []
    if (!isLearnt(tensor) || !meetsTokens(tensor.name, topology, usesTokens)) continue
    const elements = countElements(tensor, topology.nodes[readers[0]!]!)
    if (readers.some((reader) => beforeLayers.has(reader))) counts.embedding += elements
    else if (!readers.some((reader) => withinLayers.has(reader))) counts.head += elements
    else counts[partOf(tensor, topology, readers[0]!)] += elements
  }
  return counts
}

/** The addends of the last state; if a fused norm adds them, without the norm's weights. */
function addendsOf(state: string, { nodes, producer }: Topology): string[] {
  const { opType, input } = nodes[producer.get(state)!]!
  return opType.endsWith('Normalization') ? input.slice(0, 2) : input
}

/** Whether a tensor is combined with activations, as a weight is, after at most changes of shape or type. */
function meetsTokens(tensor: string, topology: Topology, usesTokens: Set<number>): boolean {
  return (topology.consumers.get(tensor) ?? []).some((reader) => {
    const { opType, output } = topology.nodes[reader]!
    if (usesTokens.has(reader)) return true
    return CHANGES_OF_FORM.has(opType) && output.some((name) => meetsTokens(name, topology, usesTokens))
  })
}

function isLearnt(tensor: TensorProto): boolean {
  return bitsOfWeight(tensor) !== undefined && tensor.dims.length > 0 && !NOT_LEARNT.test(tensor.name)
}

function countElements(tensor: TensorProto, reader: NodeProto): number {
  const attribute = (name: string, otherwise: number) => readInteger(reader, name) ?? otherwise
  if (reader.opType === 'MatMulNBits' && reader.input[1] === tensor.name) return attribute('K', 0) * attribute('N', 0)
  if (reader.opType === 'GatherBlockQuantized' && tensor.dataType === DataType.UINT8) {
    return countDims(tensor) * (8 / attribute('bits', 4))
  }
  return countDims(tensor)
}

function partOf(tensor: TensorProto, topology: Topology, reader: number): keyof ParameterCounts {
  const names = `${tensor.name} ${topology.nodes[reader]!.name}`
  return PARTS.find(([, pattern]) => pattern.test(names))?.[0] ?? 'other'
}

import { LayerpruneError } from '../../base/errors.js'
import type { DecoderGraph } from '../graph/decoder-graph.js'
import { floatAttribute, integerAttribute } from '../graph/onnx/constants.js'
import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import { copyMessage, type GraphProto, type NodeProto } from '../graph/onnx/onnx.js'
import { indexGraph, nodesDownstream, nodesUpstream, removeDeadNodes, type Topology } from '../graph/onnx/topology.js'
import { feedState, STATE_INPUT } from '../graph/segment.js'

/** The nodes from the last state to the logits. */
export interface Head {
  nodes: NodeProto[]
  logits: string
  /** The table, if the logits are a plain product with it and it is frozen. */
  table: Table | undefined
}

/** A frozen matrix with a row for each token of the vocabulary. */
interface Table {
  /** The node that multiplies by it. */
  product: NodeProto
  matrix: string
  /** In its stored type. */
  stored: string
  /** Whether it is stored as [hidden, vocabulary]. */
  isTransposed: boolean
}

/** A head that computes the logits of some positions. */
export interface HeadCopy {
  /** [positions, 1, vocabulary] */
  logits: string
  /** What the table is multiplied by, [positions, 1, hidden]; undefined if the head has no table. */
  multiplied: string | undefined
}

/**
 * Takes the head of a decoder, and adds the tensors it reads to the graph.
 * @throws LayerpruneError if the decoder has none
 */
export function takeHead(graph: GraphProto, writer: GraphWriter, decoder: DecoderGraph, logits: string): Head {
  const { graph: end } = feedState(decoder, decoder.states.length - 1).model
  end.output = end.output.filter(({ name }) => name === logits)
  if (end.output.length === 0) {
    throw new LayerpruneError('the model has no head, so it has no loss: expected an output logits', {
      hint: 'the checkpoint was saved without lm_head: take one that was saved for text generation',
    })
  }
  removeDeadNodes(end)
  const known = new Set(graph.initializer.map(({ name }) => name))
  graph.initializer.push(...end.initializer.filter(({ name }) => !known.has(name)))
  const written = new Set(graph.node.flatMap(({ output }) => output))
  const topology = indexGraph(end)
  const downstream = nodesDownstream(topology, [STATE_INPUT])
  const constants = end.node.filter((_, position) => !downstream.has(position))
  writer.nodes.push(...constants.filter(({ output }) => !written.has(output[0]!)))
  const nodes = end.node.filter((_, position) => downstream.has(position))
  return { nodes, logits, table: findTable(end, topology, logits) }
}

function findTable(graph: GraphProto, topology: Topology, logits: string): Table | undefined {
  const writerOf = (tensor: string) => topology.nodes[topology.producer.get(tensor) ?? -1]
  let product = writerOf(logits)!
  while (product.opType === 'Identity') product = writerOf(product.input[0]!)!
  const isProduct = product.opType === 'MatMul' || product.opType === 'FusedMatMul'
  if (!isProduct || floatAttribute(product, 'alpha', 1) !== 1) return undefined
  const [, matrix] = product.input as [string, string]
  const upstream = nodesUpstream(topology, [matrix])
  const read = new Set([matrix, ...[...upstream].flatMap((position) => topology.reads[position]!)])
  if (graph.input.some(({ name }) => read.has(name))) return undefined
  const cast = writerOf(matrix)
  const stored = cast === undefined ? matrix : cast.opType === 'Cast' ? cast.input[0]! : undefined
  if (stored === undefined || !graph.initializer.some(({ name }) => name === stored)) return undefined
  return { product, matrix, stored, isTransposed: integerAttribute(product, 'transB', 0) === 0 }
}

/**
 * Writes a head for some positions.
 * @param rows the states of the positions, [positions, 1, hidden]
 */
export function copyHead(writer: GraphWriter, { nodes, logits, table }: Head, chunk: number, rows: string): HeadCopy {
  const names = new Map([[STATE_INPUT, rows]])
  for (const { output } of nodes)
    for (const name of output) if (name) names.set(name, `${logits}/chunk${chunk}/${name}`)
  const rename = (list: string[]) => list.map((name) => names.get(name) ?? name)
  for (const node of nodes) {
    const [input, output] = [rename(node.input), rename(node.output)]
    writer.nodes.push(copyMessage(node, { name: output[0]!, input, output }))
  }
  return { logits: names.get(logits)!, multiplied: table && rename(table.product.input)[0] }
}

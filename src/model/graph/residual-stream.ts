import { LayerpruneError } from '../../base/errors.js'
import { layerOfCache } from './cache-names.js'
import { fusedAddends, isFusedNorm, SUM_OUTPUT } from './fused-norms.js'
import type { GraphProto, NodeProto } from './onnx/onnx.js'
import { indexGraph, nodesDownstream, nodesUpstream, type Topology } from './onnx/topology.js'

/** Operators that pass a value on: the stream is the same before and after them. */
const PASS_THROUGH_OPERATORS = new Set(['Identity', 'Cast', 'Dropout'])

/** A node of the stream that adds a branch (attention, MLP or both) to it. */
interface ResidualSum {
  /** Position of the node in the graph's list. */
  position: number
  /** The tensor after the addition. */
  output: string
}

/**
 * Finds the residual stream of a decoder by structure: the names of state 0..layers.
 *
 * Every path from the embedding lookup to the final output passes the sums of the residual stream, and nothing
 * inside a layer has that property. So the sums are found among the nodes that dominate the output (paths
 * through Shape do not count), each is checked to add to the one before it, and the attention of layer i
 * (named by its cache input, or recognised as a product of two activations) must lie in the sum that opens
 * layer i: one sum per layer if attention and MLP are parallel, two otherwise.
 *
 * A sum that a fused norm leaves unnamed gets a name, in place.
 *
 * @param layers number of layers that the model's config states
 * @returns layers + 1 tensor names; state k enters layer k, the last one is before the final norm
 * @throws LayerpruneError that says what was found if the states cannot be proven
 */
export function findResidualStream(graph: GraphProto, layers: number, file: string): string[] {
  const topology = indexGraph(graph)
  const refuse = (found: string): never => {
    throw new LayerpruneError(`the residual stream of ${file} cannot be proven: ${found}`, {
      hint: 'the graph must be a decoder with pre-norm layers, exported with its logits; try another export of the model',
    })
  }

  const embedding = findEmbedding(graph, topology) ?? refuse('no embedding lookup reads input_ids')
  const output = findFinalOutput(graph)
  const stream = nodesDownstream(topology, topology.nodes[embedding]!.output)
  stream.add(embedding)
  const upstream = nodesUpstream(topology, [output])
  const onPath = new Set([...stream].filter((position) => upstream.has(position)))
  if (!onPath.has(embedding)) refuse(`${output} does not depend on the embedding`)

  const dominators = findDominators(topology, onPath)
  const sums = dominators
    .filter((position) => isSum(topology, position, onPath))
    .map((position) => nameSum(topology, position))
  if (sums.length === 0) refuse('no sum lies on every path from the embedding to the output')

  const first = findStreamOperand(topology, sums[0]!, onPath, (name) =>
    dominators.includes(topology.producer.get(name) ?? -1),
  )
  if (first === undefined) refuse(`the first sum (${sums[0]!.output}) does not add to the embedding`)
  for (const [index, sum] of sums.entries()) {
    const previous = sums[index - 1]?.output ?? first!
    if (findStreamOperand(topology, sum, onPath, (name) => name === previous) === undefined) {
      refuse(`sum ${index} of ${sums.length} (${sum.output}) does not add to the one before it (${previous})`)
    }
  }

  const sumsPerLayer = sums.length / layers
  if (sumsPerLayer !== 1 && sumsPerLayer !== 2) {
    refuse(`config states ${layers} layers, so ${layers} or ${2 * layers} sums were expected, and ${sums.length} found`)
  }
  const misplaced = checkAttentionOrder(graph, topology, onPath, sums, sumsPerLayer)
  if (misplaced !== undefined) refuse(misplaced)

  return [first!, ...sums.filter((_, index) => (index + 1) % sumsPerLayer === 0).map((sum) => sum.output)]
}

/** The lookup of a weight table by input_ids: Gather, or a quantised or fused form of it. */
function findEmbedding(graph: GraphProto, topology: Topology): number | undefined {
  const inputs = new Set(graph.input.map(({ name }) => name))
  for (const { name } of graph.initializer) inputs.delete(name)
  const dependent = nodesDownstream(topology, inputs)
  const isWeight = (name: string | undefined) =>
    name !== undefined && name !== '' && !inputs.has(name) && !dependent.has(topology.producer.get(name) ?? -1)
  const fromIds = [...nodesDownstream(topology, ['input_ids'])].sort((a, b) => a - b)
  return fromIds.find((position) => {
    const node = topology.nodes[position]!
    if (node.opType === 'EmbedLayerNormalization') return true
    return /^Gather(BlockQuantized)?$/.test(node.opType) && isWeight(node.input[0])
  })
}

/** Logits if the graph has them, else the last hidden state. */
function findFinalOutput(graph: GraphProto): string {
  const names = graph.output.map(({ name }) => name)
  const hiddenStates = names
    .filter((name) => /^hidden_states[._]?\d+$/.test(name))
    .sort((a, b) => Number(/\d+$/.exec(a)![0]) - Number(/\d+$/.exec(b)![0]))
  const output =
    names.find((name) => name === 'logits') ?? names.find((name) => name === 'last_hidden_state') ?? hiddenStates.at(-1)
  if (output === undefined) {
    throw new LayerpruneError(
      `the graph has no output named logits, last_hidden_state or hidden_states.N; it has ${names.slice(0, 6).join(', ')}`,
      { hint: 'a decoder that was exported for text generation is needed' },
    )
  }
  return output
}

/** Positions of the nodes that every path through `onPath` passes, in order. */
function findDominators(topology: Topology, onPath: Set<number>): number[] {
  const dominators: number[] = []
  let furthest = 0
  for (const position of [...onPath].sort((a, b) => a - b)) {
    if (furthest <= position) dominators.push(position)
    for (const name of topology.nodes[position]!.output) {
      for (const reader of topology.consumers.get(name) ?? []) {
        if (onPath.has(reader)) furthest = Math.max(furthest, reader)
      }
    }
  }
  return dominators
}

/** Whether a node adds two values that both depend on the embedding. */
function isSum(topology: Topology, position: number, onPath: Set<number>): boolean {
  const node = topology.nodes[position]!
  if (!isAddition(node)) return false
  return addends(node).filter((name) => onPath.has(topology.producer.get(name) ?? -1)).length >= 2
}

function isAddition(node: NodeProto): boolean {
  return node.opType === 'Add' || node.opType === 'Sum' || isFusedNorm(node)
}

function addends(node: NodeProto): string[] {
  return isFusedNorm(node) ? fusedAddends(node) : node.input
}

function nameSum(topology: Topology, position: number): ResidualSum {
  const node = topology.nodes[position]!
  if (!isFusedNorm(node)) return { position, output: node.output[0]! }
  while (node.output.length <= SUM_OUTPUT) node.output.push('')
  if (node.output[SUM_OUTPUT] === '') node.output[SUM_OUTPUT] = `${node.output[0]}/residual_sum`
  return { position, output: node.output[SUM_OUTPUT]! }
}

/** The addend of a sum that `accepts`, looking through casts, factors of a layer and additions inside the sum. */
function findStreamOperand(
  topology: Topology,
  sum: ResidualSum,
  onPath: Set<number>,
  accepts: (name: string) => boolean,
): string | undefined {
  const queue = [...addends(topology.nodes[sum.position]!)]
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    if (accepts(name)) return name
    const position = topology.producer.get(name)
    if (position === undefined) continue
    const node = topology.nodes[position]!
    if (PASS_THROUGH_OPERATORS.has(node.opType)) queue.push(node.input[0]!)
    else if (node.opType === 'Add' || node.opType === 'Sum') queue.push(...node.input)
    else if (node.opType === 'Mul') queue.push(...onlyActivation(topology, node, onPath))
  }
  return undefined
}

/** The input of a product that depends on the embedding, if only one does. */
function onlyActivation(topology: Topology, { input }: NodeProto, onPath: Set<number>): string[] {
  const activations = input.filter((name) => onPath.has(topology.producer.get(name) ?? -1))
  return activations.length === 1 ? activations : []
}

/** Explains why a layer's attention is not in the sum that opens the layer. */
function checkAttentionOrder(
  graph: GraphProto,
  topology: Topology,
  onPath: Set<number>,
  sums: ResidualSum[],
  sumsPerLayer: number,
): string | undefined {
  const sumAfter = (position: number) => sums.findIndex((sum) => position <= sum.position)
  const mixing = new Set(
    [...onPath].filter((position) => mixesTokens(topology, position, onPath)).map((position) => sumAfter(position)),
  )
  const caches = graph.input.flatMap(({ name }) => {
    const layer = layerOfCache(name)
    return layer === undefined ? [] : [{ name, layer }]
  })
  for (const { name, layer } of caches) {
    const readers = [...nodesDownstream(topology, [name])].filter((position) => onPath.has(position))
    if (readers.length === 0) continue
    const found = sumAfter(Math.min(...readers))
    if (found !== layer * sumsPerLayer) {
      return `${name} feeds sum ${found}, but layer ${layer} opens at sum ${layer * sumsPerLayer}`
    }
  }
  const opening = sums.map((_, index) => index).filter((index) => index % sumsPerLayer === 0)
  const without = opening.filter((index) => !mixing.has(index))
  if (caches.length === 0 && without.length > 0) {
    return `no attention was recognised in the layers that open at sums ${without.join(', ')} of ${sums.length}`
  }
  if (sumsPerLayer === 1 && without.length > 0) {
    return `one sum per layer was found, and no attention in layers ${without.join(', ')}`
  }
  return undefined
}

/** Whether a node is an attention operator or a product of two activations, as queries times keys is. */
function mixesTokens(topology: Topology, position: number, onPath: Set<number>): boolean {
  const node = topology.nodes[position]!
  if (/Attention$/.test(node.opType)) return true
  if (!/^(Fused)?MatMul$|^Einsum$/.test(node.opType)) return false
  return node.input.filter((name) => onPath.has(topology.producer.get(name) ?? -1)).length >= 2
}

import { LayerpruneError } from '../../base/errors.js'
import type { DecoderGraph } from './decoder-graph.js'
import { gatherEarly } from './gather-early.js'
import {
  cloneModel,
  DataType,
  type GraphProto,
  makeGraph,
  makeInt64Tensor,
  makeNode,
  makeSubgraphInput,
  makeValueInfo,
  type NodeProto,
  opsetOf,
  type TensorProto,
} from './onnx/onnx.js'
import { removeDeadNodes, sortNodes } from './onnx/topology.js'

/** Input of a tapped graph: int64 [chunks, positions, 2], each a (text, token) pair of the batch. */
export const POSITIONS_INPUT = 'layerprune.positions'

/** Output of a tapped graph: float64 [chunks, positions, layers + 1, layers + 1], see `tapStates`. */
export const GRAM_OUTPUT = 'layerprune.gram'

const ROW_SHAPE = 'layerprune.row_shape'

const MINIMUM_OPSET = 11

/**
 * Edits a decoder so that it returns, for each given position, the inner products of its states with each
 * other: entry (a, b) is state a times state b, summed in float64 over the hidden size. Angles between all
 * pairs of states follow from it, and a state itself never leaves the session.
 *
 * Logits, cache outputs and everything that only they needed are dropped. Each state is kept at the given positions,
 * and freed as soon as the next layer has read it. Positions come in chunks, so that float64
 * copies are held for one chunk at a time.
 * @returns a new graph; the given one is not changed
 */
export function tapStates(decoder: DecoderGraph): DecoderGraph {
  const model = cloneModel(decoder.model)
  const graph = model.graph
  const opset = opsetOf(model)
  if (opset < MINIMUM_OPSET) {
    throw new LayerpruneError(`the graph uses ONNX opset ${opset}, at least ${MINIMUM_OPSET} is needed`, {
      hint: 'export the model again with a current exporter',
    })
  }
  const { states } = decoder
  const size = states.length
  graph.output = [makeSubgraphInput(states.at(-1)!)]
  removeDeadNodes(graph)
  const kept = gatherStates(graph, states, { first: 0, isEnd: true })
  const body = { graph: gramOfChunk(size) }
  graph.node.push(makeNode('Scan', kept, [GRAM_OUTPUT], { num_scan_inputs: size, body }))
  graph.initializer.push(makeRowShape())
  graph.output = [makeValueInfo(GRAM_OUTPUT, DataType.DOUBLE, ['chunks', 'positions', size, size])]
  sortNodes(graph)
  removeDeadNodes(graph)
  return { ...decoder, model }
}

/**
 * Adds nodes that gather states at the given positions.
 * @param first number of the first state
 * @param isEnd whether nothing else reads the last state, which is then computed at those positions only
 * @returns names of the gathered states
 */
export function gatherStates(
  graph: GraphProto,
  states: string[],
  { first, isEnd }: { first: number; isEnd: boolean },
): string[] {
  graph.input.push(makeValueInfo(POSITIONS_INPUT, DataType.INT64, ['chunks', 'positions', 2]))
  const last = states.at(-1)!
  const kept = new Map(states.map((state, index) => [state, `layerprune.kept_${first + index}`]))
  const others = new Map([...kept].slice(0, -1))
  if (isEnd && gatherEarly(graph, last, POSITIONS_INPUT, others)) kept.set(last, last)
  // ONNX Runtime schedules the last node of the list first: in this order each state is freed before the next is made
  for (const [state, name] of [...kept].reverse()) {
    if (name !== state) graph.node.push(makeNode('GatherND', [state, POSITIONS_INPUT], [name]))
  }
  return [...kept.values()]
}

/** The shape to which `gramOfChunk` reshapes a state. */
export function makeRowShape(): TensorProto {
  return makeInt64Tensor(ROW_SHAPE, [3], [0, 1, -1])
}

/**
 * Scan body: from the states at the positions of a chunk, each [positions, hidden], to their Gram matrices. It reads
 * the constant of `makeRowShape`.
 */
export function gramOfChunk(size: number): GraphProto {
  const node: NodeProto[] = []
  const input = Array.from({ length: size }, (_, k) => `layerprune.chunk_${k}`)
  const rows = input.map((state, k) => {
    const row = `layerprune.row_${k}`
    node.push(
      makeNode('Cast', [state], [`${row}.float64`], { to: DataType.DOUBLE }),
      makeNode('Reshape', [`${row}.float64`, ROW_SHAPE], [row]),
    )
    return row
  })
  node.push(
    makeNode('Concat', rows, ['layerprune.rows'], { axis: 1 }),
    makeNode('Transpose', ['layerprune.rows'], ['layerprune.columns'], { perm: [0, 2, 1] }),
    makeNode('MatMul', ['layerprune.rows', 'layerprune.columns'], ['layerprune.chunk_gram']),
  )
  return makeGraph({
    name: 'layerprune.gram_of_chunk',
    node,
    input: input.map((name) => makeSubgraphInput(name)),
    output: [makeValueInfo('layerprune.chunk_gram', DataType.DOUBLE, ['positions', size, size])],
  })
}

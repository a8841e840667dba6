import { LayerpruneError } from '../errors.js'
import type { DecoderGraph } from './decoder-graph.js'
import {
  cloneModel,
  DataType,
  makeGraph,
  makeInt64Tensor,
  makeNode,
  makeValueInfo,
  type NodeProto,
} from './onnx.js'
import { removeDeadNodes } from './topology.js'

/** Input of a tapped graph: int64 [chunks, positions, 2], each a (text, token) pair of the batch. */
export const POSITIONS_INPUT = 'layerprune.positions'

/** Output of a tapped graph: float64 [chunks, positions, layers + 1, layers + 1], see `tapStates`. */
export const GRAM_OUTPUT = 'layerprune.gram'

const MINIMUM_OPSET = 11

/**
 * Edits a decoder so that it returns, for each asked position, the inner products of its states with each
 * other: entry (a, b) is state a times state b, summed in float64 over the hidden size. Angles between all
 * pairs of states follow from it, and a state itself never leaves the session.
 *
 * Logits, cache outputs and all that only they needed are dropped. Positions come in chunks, so that the
 * float64 copies of the states are held for one chunk at a time.
 * @returns a new graph; the given one is not changed
 */
export function tapStates(decoder: DecoderGraph): DecoderGraph {
  const model = cloneModel(decoder.model)
  const graph = model.graph!
  const opset = Number(
    model.opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx')?.version ?? 0,
  )
  if (opset < MINIMUM_OPSET) {
    throw new LayerpruneError(`the graph uses ONNX opset ${opset}, at least ${MINIMUM_OPSET} is needed`, {
      hint: 'export the model again with a current exporter',
    })
  }
  graph.initializer.push(makeInt64Tensor('layerprune.row_shape', [3], [0, 1, -1]))
  graph.node.push(
    makeNode('Scan', [POSITIONS_INPUT], [GRAM_OUTPUT], {
      num_scan_inputs: 1,
      body: { graph: gramOfChunk(decoder.states) },
    }),
  )
  graph.input.push(makeValueInfo(POSITIONS_INPUT, DataType.INT64, ['chunks', 'positions', 2]))
  const size = decoder.states.length
  graph.output = [makeValueInfo(GRAM_OUTPUT, DataType.DOUBLE, ['chunks', 'positions', size, size])]
  removeDeadNodes(graph)
  return { ...decoder, model }
}

/** Scan body: positions [n, 2] to the Gram matrices [n, states, states] there. */
function gramOfChunk(states: string[]) {
  const node: NodeProto[] = []
  const rows = states.map((state, k) => {
    const row = `layerprune.row_${k}`
    node.push(
      makeNode('GatherND', [state, 'layerprune.chunk'], [`${row}.stored`]),
      makeNode('Cast', [`${row}.stored`], [`${row}.float64`], { to: DataType.DOUBLE }),
      makeNode('Reshape', [`${row}.float64`, 'layerprune.row_shape'], [row]),
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
    input: [makeValueInfo('layerprune.chunk', DataType.INT64, ['positions', 2])],
    output: [
      makeValueInfo('layerprune.chunk_gram', DataType.DOUBLE, ['positions', states.length, states.length]),
    ],
  })
}

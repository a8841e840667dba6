import { LayerpruneError } from '../errors.js'
import type { DecoderGraph } from '../graph/decoder-graph.js'
import type { GraphWriter } from '../graph/graph-writer.js'
import { copyMessage, type GraphProto, type NodeProto } from '../graph/onnx.js'
import { feedState, STATE_INPUT } from '../graph/segment.js'
import { indexGraph, nodesDownstream, removeDeadNodes } from '../graph/topology.js'

/** int64 [batch * tokens, 1]: the token that follows each position; any if the position has no weight. */
export const TARGETS_INPUT = 'layerprune.targets'
/** float32 [batch * tokens, 1]: what each position counts in the loss. */
export const WEIGHTS_INPUT = 'layerprune.weights'
/** float32: the sum of the weighted negative logarithms of the targets' probabilities, in nats. */
export const LOSS_OUTPUT = 'layerprune.loss'

/** Runs of positions whose logits are computed one after another: those of all would be the largest tensor by far. */
const CHUNKS = 4

/** The nodes from the last state to the logits. */
interface Head {
  /** Those that do not depend on the state, and those that do. */
  constants: NodeProto[]
  nodes: NodeProto[]
  graph: GraphProto
}

/** A loss, and the gradients that are known without differentiation: those of the logits. */
export interface WrittenLoss {
  loss: string
  seeds: Map<string, string>
}

/**
 * Writes the loss of a decoder from its last state on: the cross entropy of the next token. The head, from the final
 * norm to the logits, is repeated for each run of positions.
 * @param graph  takes the weights of the head
 * @param state  [batch, tokens, hidden]: the last state in the graph
 * @throws LayerpruneError if the decoder has no head
 */
export function writeLoss(
  graph: GraphProto,
  writer: GraphWriter,
  decoder: DecoderGraph,
  state: string,
  hiddenSize: number,
): WrittenLoss {
  const head = takeHead(decoder)
  const known = new Set(graph.initializer.map(({ name }) => name))
  graph.initializer.push(...head.graph.initializer.filter(({ name }) => !known.has(name)))
  const written = new Set(graph.node.flatMap(({ output }) => output))
  writer.nodes.push(...head.constants.filter(({ output }) => !written.has(output[0]!)))
  const rows = writer.op('Reshape', [state, writer.integers([-1, 1, hiddenSize])])
  const bounds = writeBounds(writer, rows)
  const seeds = new Map<string, string>()
  const losses = Array.from({ length: CHUNKS }, (_, index) =>
    writer.inScope(`chunk${index}`, () => {
      const take = (tensor: string) =>
        writer.op('Slice', [tensor, bounds[index]!, bounds[index + 1]!, writer.integers([0])])
      const logits = copyHead(writer, head, `chunk${index}`, take(rows))
      return writeCrossEntropy(writer, logits, { take, seeds })
    }),
  )
  return { loss: losses.reduce((sum, loss) => writer.op('Add', [sum, loss])), seeds }
}

/** int64 [1] each: where the runs of positions begin, and where the last ends. */
function writeBounds(writer: GraphWriter, rows: string): string[] {
  const count = writer.op('Gather', [writer.op('Shape', [rows]), writer.integers([0])])
  return Array.from({ length: CHUNKS + 1 }, (_, index) =>
    writer.op('Div', [writer.op('Mul', [count, writer.integers([index])]), writer.integers([CHUNKS])]),
  )
}

/** The loss of a run of positions; the gradient of its logits is weight * (probabilities - one at the target). */
function writeCrossEntropy(
  writer: GraphWriter,
  logits: string,
  { take, seeds }: { take: (tensor: string) => string; seeds: Map<string, string> },
): string {
  const [targets, weights] = [take(TARGETS_INPUT), take(WEIGHTS_INPUT)]
  const flat = writer.op('Squeeze', [logits, writer.integers([1])])
  const logs = writer.op('LogSoftmax', [flat], { axis: 1 })
  const picked = writer.op('GatherElements', [logs, targets], { axis: 1 })
  const weighted = writer.op('Mul', [picked, weights])
  const loss = writer.op('Neg', [writer.op('ReduceSum', [weighted], { keepdims: 0 })])
  const minusOnes = writer.op('Expand', [writer.float(-1), writer.op('Shape', [targets])])
  const errors = writer.op('ScatterElements', [writer.op('Exp', [logs]), targets, minusOnes], {
    axis: 1,
    reduction: 'add',
  })
  const gradient = writer.op('Unsqueeze', [writer.op('Mul', [errors, weights]), writer.integers([1])])
  seeds.set(logits, gradient)
  return loss
}

function takeHead(decoder: DecoderGraph): Head {
  const { graph } = feedState(decoder, decoder.states.length - 1).model
  graph.output = graph.output.filter(({ name }) => name === 'logits')
  if (graph.output.length === 0) {
    throw new LayerpruneError('the model has no head, so it has no loss: expected an output logits', {
      hint: 'the checkpoint was saved without lm_head: take one that was saved for text generation',
    })
  }
  removeDeadNodes(graph)
  const downstream = nodesDownstream(indexGraph(graph), [STATE_INPUT])
  return {
    constants: graph.node.filter((_, position) => !downstream.has(position)),
    nodes: graph.node.filter((_, position) => downstream.has(position)),
    graph,
  }
}

/** @returns the logits of the copy, [positions, 1, vocabulary] */
function copyHead(writer: GraphWriter, { nodes }: Head, prefix: string, rows: string): string {
  const names = new Map([[STATE_INPUT, rows]])
  for (const { output } of nodes) for (const name of output) if (name) names.set(name, `${prefix}/${name}`)
  const rename = (list: string[]) => list.map((name) => names.get(name) ?? name)
  for (const node of nodes) {
    const [input, output] = [rename(node.input), rename(node.output)]
    writer.nodes.push(copyMessage(node, { name: output[0]!, input, output }))
  }
  return names.get('logits')!
}

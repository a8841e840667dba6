import { LayerpruneError } from '../../base/errors.js'
import type { DecoderGraph } from '../graph/decoder-graph.js'
import { GraphWriter } from '../graph/onnx/graph-writer.js'
import { DataType, dimensions, type GraphProto, makeNode, makeValueInfo, type NodeProto } from '../graph/onnx/onnx.js'
import { removeDeadNodes } from '../graph/onnx/topology.js'
import { STATE_INPUT, takeSegment } from '../graph/segment.js'
import { castAgain } from './cast-again.js'
import { differentiate } from './differentiate.js'
import { LOSS_OUTPUT, TARGETS_INPUT, type Teacher, WEIGHTS_INPUT, writeLoss } from './loss.js'
import { addStateLoss, type CommonState } from './state-loss.js'
import { gradientName } from './trained.js'

/** float32 [batch, tokens, hidden]: the gradient of the state after a segment. */
export const GRADIENT_INPUT = 'layerprune.state_gradient'
/** float32 [batch, tokens, hidden]: the gradient of the state before a segment. */
export const GRADIENT_OUTPUT = 'layerprune.gradient'

/** Prefixes of the nodes that compute the loss from the last state, and of those that compute gradients. */
export const LOSS_SCOPE = 'loss'
export const GRADIENT_SCOPE = 'gradient'

interface GraphOptions {
  /** State that the graph starts from; if omitted, it starts at the token ids and returns no gradient of a state. */
  from?: number | undefined
  /** Names of the inputs that are trained. */
  trained: readonly string[]
  hiddenSize: number
}

interface LossOptions extends GraphOptions {
  /** Its probabilities are the targets instead of the next token. */
  teacher?: Teacher | undefined
}

/**
 * The end of a decoder, from a state or the token ids, as a graph that returns the loss of a batch and its gradients
 * with respect to its trained weights and the state it starts from.
 * @returns a new graph; the given one is not changed
 * @throws LayerpruneError if the decoder has no head, or no gradient passes an operator
 */
export function takeLossGraph(decoder: DecoderGraph, options: LossOptions): DecoderGraph {
  const { segment, seeds } = takeEnd(decoder, options)
  return writeGradients(segment, seeds, options)
}

/**
 * A decoder as a graph that returns the loss of a batch alone.
 * @throws LayerpruneError if the decoder has no head
 */
export function takeScoreGraph(decoder: DecoderGraph, hiddenSize: number): DecoderGraph {
  const { segment } = takeEnd(decoder, { hiddenSize })
  removeDeadNodes(segment.model.graph)
  return segment
}

/** The end of a decoder, its loss, and the gradients of its logits. */
function takeEnd(
  decoder: DecoderGraph,
  { from, teacher, hiddenSize }: Pick<LossOptions, 'from' | 'teacher' | 'hiddenSize'>,
): { segment: DecoderGraph; seeds: Map<string, string> } {
  const segment = takeSegment(decoder, { from, to: decoder.states.length - 1 })
  const graph = segment.model.graph
  const writer = new GraphWriter()
  const inputs = {
    student: decoder,
    state: segment.states.at(-1)!,
    hiddenSize,
    teacher: teacher && { ...teacher, state: addTeacher(graph, teacher) },
  }
  const { loss, seeds } = writer.inScope(LOSS_SCOPE, () => {
    const written = writeLoss(graph, writer, inputs)
    if (!teacher?.common) return written
    const states = findStates(segment, teacher, from)
    return addStateLoss(writer, written, { states, weight: teacher.common.weight, hiddenSize })
  })
  writer.addTo(graph)
  graph.node.push(makeNode('Identity', [loss], [LOSS_OUTPUT]))
  graph.input.push(
    makeValueInfo(TARGETS_INPUT, DataType.INT64, ['positions', 1]),
    makeValueInfo(WEIGHTS_INPUT, DataType.FLOAT, ['positions', 1]),
  )
  addMissingInputs(graph, decoder)
  graph.output = [makeValueInfo(LOSS_OUTPUT, DataType.FLOAT, [])]
  return { segment, seeds }
}

/** The states that a teacher and the student in a graph have in common. */
function findStates(segment: DecoderGraph, { decoder, common }: Teacher, from = 0): CommonState[] {
  return common!.states.map(({ student, teacher }) => {
    if (student < from) {
      throw new LayerpruneError("the teacher's states can be learnt only with all layers held at once", {
        hint: 'train without `layersAtOnce`, or without `teacherStates`',
      })
    }
    return { student: segment.states[student - from]!, teacher: decoder.states[teacher]! }
  })
}

/** Adds the layers of a teacher to a graph, and returns its last state. */
function addTeacher(graph: GraphProto, { decoder }: Teacher): string {
  const { model, states } = takeSegment(decoder, { to: decoder.states.length - 1 })
  graph.node.push(...model.graph.node)
  graph.initializer.push(...model.graph.initializer)
  graph.valueInfo.push(...model.graph.valueInfo)
  return states.at(-1)!
}

/**
 * A run of layers as a graph that takes the gradient of the state after them, and returns those of its trained weights
 * and of the state before them.
 * @param to state after the last layer
 * @returns a new graph; the given one is not changed
 * @throws LayerpruneError if no gradient passes an operator
 */
export function takeBackwardGraph(
  decoder: DecoderGraph,
  { to, ...options }: GraphOptions & { to: number },
): DecoderGraph {
  const segment = takeSegment(decoder, { from: options.from, to })
  const graph = segment.model.graph
  graph.input.push(makeValueInfo(GRADIENT_INPUT, DataType.FLOAT, ['batch', 'tokens', options.hiddenSize]))
  graph.output = []
  return writeGradients(segment, new Map([[segment.states.at(-1)!, GRADIENT_INPUT]]), options)
}

/** Adds the decoder's inputs that the nodes read; those that only the head reads, such as trained weights, are omitted. */
function addMissingInputs(graph: GraphProto, decoder: DecoderGraph): void {
  const known = new Set(graph.input.map(({ name }) => name))
  const read = new Set(graph.node.flatMap(({ input }) => input))
  graph.input.push(...decoder.model.graph.input.filter(({ name }) => read.has(name) && !known.has(name)))
}

function writeGradients(
  decoder: DecoderGraph,
  seeds: ReadonlyMap<string, string>,
  { from, trained, hiddenSize }: GraphOptions,
): DecoderGraph {
  const { graph } = decoder.model
  const writer = new GraphWriter()
  const state = makeValueInfo(STATE_INPUT, DataType.FLOAT, ['batch', 'tokens', hiddenSize])
  graph.input = graph.input.map((info) => (info.name === STATE_INPUT ? state : info))
  const weights = graph.input.filter(({ name }) => trained.includes(name))
  const wanted = [...weights.map(({ name }) => name), ...(from === undefined ? [] : [STATE_INPUT])]
  const gradients = writer.inScope(GRADIENT_SCOPE, () => differentiate(graph, writer, seeds, wanted))
  writer.addTo(graph)
  const packed = decoder.castsPerRun ? castAgain(decoder, writer.nodes) : decoder.packed
  graph.node = orderForMemory(graph.node, new Set(gradients.values()))
  for (const info of [...weights, ...(from === undefined ? [] : [state])]) {
    const gradient = gradients.get(info.name)
    if (gradient === undefined) continue
    const output = info === state ? GRADIENT_OUTPUT : gradientName(info.name)
    graph.node.push(makeNode('Identity', [gradient], [output]))
    graph.output.push(makeValueInfo(output, DataType.FLOAT, dimensions(info)))
  }
  removeDeadNodes(graph)
  return { ...decoder, ...(packed && { packed }) }
}

/**
 * Puts the nodes that compute a wanted gradient last, those of late layers after those of early ones. ONNX Runtime
 * computes the inputs of the list's last node first, and so on backwards, so the gradients of a layer are complete
 * before those of the layer below, and their inputs are freed early.
 */
function orderForMemory(nodes: NodeProto[], gradients: ReadonlySet<string>): NodeProto[] {
  const read = new Set(nodes.flatMap(({ input }) => input))
  const isEnd = ({ output }: NodeProto) => gradients.has(output[0]!) && !output.some((name) => read.has(name))
  return [...nodes.filter((node) => !isEnd(node)), ...nodes.filter(isEnd).toReversed()]
}

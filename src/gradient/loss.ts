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

/** The nodes from the last state to the logits, and the name of these. */
interface Head {
  nodes: NodeProto[]
  logits: string
}

/** Numbers of a state in a student and in its teacher. */
export interface StatePair {
  student: number
  teacher: number
}

/** A decoder whose probabilities another learns, in one graph with it. */
export interface Teacher {
  decoder: DecoderGraph
  /** The output that holds its logits. */
  logits: string
  /** States that are learnt too, and what they count beside the probabilities; none if omitted. */
  common?: { states: readonly StatePair[]; weight: number } | undefined
}

/** A loss, and the gradients that are known without differentiation: those of the logits. */
export interface WrittenLoss {
  loss: string
  seeds: Map<string, string>
}

/** The decoders that a loss is computed from, each with the tensor [batch, tokens, hidden] that is its last state. */
interface LossInputs {
  student: DecoderGraph
  state: string
  /** Of the student. */
  hiddenSize: number
  /** If there is one, the student's loss is its distance from the teacher. */
  teacher?: (Teacher & { state: string }) | undefined
}

/**
 * Writes the loss of a decoder from its last state on: the cross entropy of the next token or, with a teacher, the
 * Kullback-Leibler divergence of its probabilities from the teacher's. Heads, from the final norm to the logits, are
 * repeated for each run of positions.
 * @param graph takes the weights of the heads
 * @throws LayerpruneError if a decoder has no head
 */
export function writeLoss(
  graph: GraphProto,
  writer: GraphWriter,
  { student, state, hiddenSize, teacher }: LossInputs,
): WrittenLoss {
  const head = takeHead(graph, writer, student, 'logits')
  const teacherHead = teacher && takeHead(graph, writer, teacher.decoder, teacher.logits)
  const rows = writer.op('Reshape', [state, writer.integers([-1, 1, hiddenSize])])
  const teacherRows = teacher && writeTeacherRows(writer, teacher.state)
  const bounds = writeBounds(writer, rows)
  const seeds = new Map<string, string>()
  const losses = Array.from({ length: CHUNKS }, (_, index) =>
    writer.inScope(`chunk${index}`, () => {
      const take = (tensor: string) =>
        writer.op('Slice', [tensor, bounds[index]!, bounds[index + 1]!, writer.integers([0])])
      const logits = copyHead(writer, head, index, take(rows))
      const logs = writeLogarithms(writer, logits)
      const weights = take(WEIGHTS_INPUT)
      const { loss, gradient } =
        teacherHead === undefined
          ? writeCrossEntropy(writer, logs, take(TARGETS_INPUT), weights)
          : writeDivergence(
              writer,
              logs,
              writeLogarithms(writer, copyHead(writer, teacherHead, index, take(teacherRows!))),
              weights,
            )
      seeds.set(logits, writer.op('Unsqueeze', [gradient, writer.integers([1])]))
      return loss
    }),
  )
  return { loss: losses.reduce((sum, loss) => writer.op('Add', [sum, loss])), seeds }
}

/** A state [batch, tokens, hidden] of any width as rows [batch * tokens, 1, hidden]. */
function writeTeacherRows(writer: GraphWriter, state: string): string {
  const hidden = writer.op('Gather', [writer.op('Shape', [state]), writer.integers([2])])
  const shape = writer.op('Concat', [writer.integers([-1, 1]), hidden], { axis: 0 })
  return writer.op('Reshape', [state, shape])
}

/** int64 [1] each: where the runs of positions begin, and where the last ends. */
function writeBounds(writer: GraphWriter, rows: string): string[] {
  const count = writer.op('Gather', [writer.op('Shape', [rows]), writer.integers([0])])
  return Array.from({ length: CHUNKS + 1 }, (_, index) =>
    writer.op('Div', [writer.op('Mul', [count, writer.integers([index])]), writer.integers([CHUNKS])]),
  )
}

/** The logarithms of the probabilities that logits [positions, 1, vocabulary] stand for: [positions, vocabulary]. */
function writeLogarithms(writer: GraphWriter, logits: string): string {
  const flat = writer.op('Squeeze', [logits, writer.integers([1])])
  return writer.op('LogSoftmax', [flat], { axis: 1 })
}

interface ChunkLoss {
  loss: string
  /** Of the logits, [positions, vocabulary]. */
  gradient: string
}

/** The gradient of a logit is weight * (probability - one at the target). */
function writeCrossEntropy(writer: GraphWriter, logs: string, targets: string, weights: string): ChunkLoss {
  const picked = writer.op('GatherElements', [logs, targets], { axis: 1 })
  const minusOnes = writer.op('Expand', [writer.float(-1), writer.op('Shape', [targets])])
  const errors = writer.op('ScatterElements', [writer.op('Exp', [logs]), targets, minusOnes], {
    axis: 1,
    reduction: 'add',
  })
  return {
    loss: writer.op('Neg', [writeWeightedSum(writer, picked, weights)]),
    gradient: writer.op('Mul', [errors, weights]),
  }
}

/** The gradient of a logit is weight * (probability - the teacher's). */
function writeDivergence(writer: GraphWriter, logs: string, teacherLogs: string, weights: string): ChunkLoss {
  const teacher = writer.op('Exp', [teacherLogs])
  const terms = writer.op('Mul', [teacher, writer.op('Sub', [teacherLogs, logs])])
  const errors = writer.op('Sub', [writer.op('Exp', [logs]), teacher])
  return {
    loss: writeWeightedSum(writer, terms, weights),
    gradient: writer.op('Mul', [errors, weights]),
  }
}

function writeWeightedSum(writer: GraphWriter, values: string, weights: string): string {
  return writer.op('ReduceSum', [writer.op('Mul', [values, weights])], { keepdims: 0 })
}

/** Takes the head of a decoder, and gives the graph what it reads besides the state. */
function takeHead(graph: GraphProto, writer: GraphWriter, decoder: DecoderGraph, logits: string): Head {
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
  const downstream = nodesDownstream(indexGraph(end), [STATE_INPUT])
  const constants = end.node.filter((_, position) => !downstream.has(position))
  writer.nodes.push(...constants.filter(({ output }) => !written.has(output[0]!)))
  return { nodes: end.node.filter((_, position) => downstream.has(position)), logits }
}

/** @returns the logits of the copy, [positions, 1, vocabulary] */
function copyHead(writer: GraphWriter, { nodes, logits }: Head, chunk: number, rows: string): string {
  const names = new Map([[STATE_INPUT, rows]])
  for (const { output } of nodes)
    for (const name of output) if (name) names.set(name, `${logits}/chunk${chunk}/${name}`)
  const rename = (list: string[]) => list.map((name) => names.get(name) ?? name)
  for (const node of nodes) {
    const [input, output] = [rename(node.input), rename(node.output)]
    writer.nodes.push(copyMessage(node, { name: output[0]!, input, output }))
  }
  return names.get(logits)!
}

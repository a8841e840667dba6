import type { DecoderGraph } from '../graph/decoder-graph.js'
import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import { DataType, type GraphProto } from '../graph/onnx/onnx.js'
import { copyHead, type Head, type HeadCopy, takeHead } from './head.js'

/** int64 [batch * tokens, 1]: the token after each position; any token if the position's weight is 0. */
export const TARGETS_INPUT = 'layerprune.targets'
/** float32 [batch * tokens, 1]: weight of each position in the loss. */
export const WEIGHTS_INPUT = 'layerprune.weights'
/** float32: weighted sum of the targets' negative log-probabilities, in nats. */
export const LOSS_OUTPUT = 'layerprune.loss'

/** Number of chunks of positions whose logits are computed in turn; all logits would be by far the largest tensor. */
export const CHUNKS = 4

/** Index of the same state in a student and in its teacher. */
export interface StatePair {
  student: number
  teacher: number
}

/** A distillation teacher in the same graph. */
export interface Teacher {
  decoder: DecoderGraph
  /** The output that holds its logits. */
  logits: string
  /** States that the student must match too, and their weight in the loss; none if omitted. */
  common?: { states: readonly StatePair[]; weight: number } | undefined
}

/** A loss, and gradients known in closed form: those of the logits or their factors. */
export interface WrittenLoss {
  loss: string
  seeds: Map<string, string>
}

/** The decoders that a loss is computed from, each with the tensor of its last state, [batch, tokens, hidden]. */
interface LossInputs {
  student: DecoderGraph
  state: string
  /** The student's. */
  hiddenSize: number
  /** If given, the loss is the student's divergence from it. */
  teacher?: (Teacher & { state: string }) | undefined
}

/**
 * Writes the loss of a decoder from its last state on: the cross entropy of the next token or, with a teacher, the
 * Kullback-Leibler divergence of its probabilities from the teacher's. Heads, from the final norm to the logits, are
 * repeated for each chunk of positions.
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
  const allRows = writer.op('Reshape', [state, writer.integers([-1, 1, hiddenSize])])
  const sizes = writeSizes(writer, allRows)
  const divide = (tensor: string) => writer.ops('Split', [tensor, sizes], CHUNKS, { axis: 0 })
  const [rows, targets, weights] = [allRows, TARGETS_INPUT, WEIGHTS_INPUT].map(divide) as [string[], string[], string[]]
  const teacherRows = teacher && divide(writeTeacherRows(writer, teacher.state))
  const seeds = new Map<string, string>()
  const losses = rows.map((own, index) =>
    writer.inScope(`chunk${index}`, () => {
      const copy = copyHead(writer, head, index, own)
      const written =
        teacherHead === undefined
          ? writeCrossEntropy(writer, copy.logits, targets[index]!)
          : writeDivergence(writer, copy.logits, copyHead(writer, teacherHead, index, teacherRows![index]!).logits)
      const [losses, weight] = computeTogether(writer, written.losses, weights[index]!)
      seeds.set(...writeSeed(writer, head, copy, { ...written, weight }))
      return writer.op('ReduceSum', [writer.op('Mul', [losses, weight])], { keepdims: 0 })
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

/** int64 [CHUNKS]: number of positions in each chunk. */
function writeSizes(writer: GraphWriter, rows: string): string {
  const count = writer.op('Gather', [writer.op('Shape', [rows]), writer.integers([0])])
  const bounds = Array.from({ length: CHUNKS + 1 }, (_, index) =>
    writer.op('Div', [writer.op('Mul', [count, writer.integers([index])]), writer.integers([CHUNKS])]),
  )
  const sizes = bounds.slice(1).map((end, index) => writer.op('Sub', [end, bounds[index]!]))
  return writer.op('Concat', sizes, { axis: 0 })
}

interface ChunkLoss {
  /** Unweighted loss of each position, [positions, 1]. */
  losses: string
  /** [positions, vocabulary]: gradients of the logits for weights of 1, before one is subtracted at the targets. */
  errors: string
  /** [positions, 1]: tokens at which one is subtracted from the gradient; undefined if there are none. */
  targets?: string
}

/**
 * The gradient of a logit is weight * (probability - one at the target). The log-probability of a target is that of the
 * likeliest token minus the distance of their logits, because a small probability may be zero in float32.
 */
function writeCrossEntropy(writer: GraphWriter, logits: string, targets: string): ChunkLoss {
  const flat = flatten(writer, logits)
  const errors = writer.op('Softmax', [flat], { axis: 1 })
  const largest = (tensor: string) => writer.op('ReduceMax', [tensor, writer.integers([1])], { keepdims: 1 })
  const distance = writer.op('Sub', [largest(flat), writer.op('GatherElements', [flat, targets], { axis: 1 })])
  return { losses: writer.op('Sub', [distance, writer.op('Log', [largest(errors)])]), errors, targets }
}

/** The gradient of a logit is weight * (probability - the teacher's). */
function writeDivergence(writer: GraphWriter, logits: string, teacherLogits: string): ChunkLoss {
  const [logs, teacherLogs] = [logits, teacherLogits].map((tensor) =>
    writer.op('LogSoftmax', [flatten(writer, tensor)], { axis: 1 }),
  ) as [string, string]
  const teacher = writer.op('Exp', [teacherLogs])
  const terms = writer.op('Mul', [teacher, writer.op('Sub', [teacherLogs, logs])])
  const errors = writer.op('Sub', [writer.op('Exp', [logs]), teacher])
  return { losses: writer.op('ReduceSum', [terms, writer.integers([1])], { keepdims: 1 }), errors }
}

/** Logits [positions, 1, vocabulary] as [positions, vocabulary]. */
function flatten(writer: GraphWriter, logits: string): string {
  return writer.op('Squeeze', [logits, writer.integers([1])])
}

/**
 * Forces two tensors [positions, 1] to be computed at the same time. Otherwise ONNX Runtime would compute the losses of
 * all chunks at the end and keep their logits until then.
 */
function computeTogether(writer: GraphWriter, first: string, second: string): [string, string] {
  const both = writer.op('Concat', [first, second], { axis: 1 })
  return writer.ops('Split', [both, writer.integers([1, 1])], 2, { axis: 1 }) as [string, string]
}

/**
 * Where the loss of a chunk passes its gradient on. If the logits are a plain product with a table, that is the other
 * factor: the targets' rows of the table are subtracted from the product of probabilities and table, which avoids a
 * second tensor of the logits' size.
 * @returns a tensor and its gradient
 */
function writeSeed(
  writer: GraphWriter,
  { table }: Head,
  { logits, multiplied }: HeadCopy,
  { errors, targets, weight }: ChunkLoss & { weight: string },
): [tensor: string, gradient: string] {
  if (table === undefined) {
    const complete = targets === undefined ? errors : writeAtTargets(writer, errors, targets)
    const weighted = writer.op('Mul', [complete, weight])
    return [logits, writer.op('Unsqueeze', [weighted, writer.integers([1])])]
  }
  const { matrix, stored, isTransposed } = table
  const product = isTransposed
    ? writer.op('FusedMatMul', [errors, matrix], { transB: 1 })
    : writer.op('MatMul', [errors, matrix])
  const sum = writer.op('Unsqueeze', [product, writer.integers([1])])
  const gradient =
    targets === undefined ? sum : writer.op('Sub', [sum, takeRows(writer, stored, targets, isTransposed)])
  return [multiplied!, writer.op('Mul', [gradient, writer.op('Unsqueeze', [weight, writer.integers([1])])])]
}

/** Subtracts one from the number at each target. */
function writeAtTargets(writer: GraphWriter, errors: string, targets: string): string {
  const minusOnes = writer.op('Expand', [writer.float(-1), writer.op('Shape', [targets])])
  return writer.op('ScatterElements', [errors, targets, minusOnes], { axis: 1, reduction: 'add' })
}

/** The tokens' rows of a table, in float32: [positions, 1, hidden]. */
function takeRows(writer: GraphWriter, stored: string, tokens: string, isTransposed: boolean): string {
  const taken = writer.op('Gather', [stored, tokens], { axis: isTransposed ? 1 : 0 })
  const rows = isTransposed ? writer.op('Transpose', [taken], { perm: [1, 2, 0] }) : taken
  return writer.op('Cast', [rows], { to: DataType.FLOAT })
}

import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import { WEIGHTS_INPUT, type WrittenLoss } from './loss.js'

/** States that a student should match, as tensors [batch, tokens, hidden] of the graph it shares with its teacher. */
export interface CommonState {
  student: string
  teacher: string
}

interface StateLossOptions {
  states: readonly CommonState[]
  /** Their weight relative to the loss of the probabilities. */
  weight: number
  hiddenSize: number
}

/**
 * Adds the distance of states from a teacher's to a loss: the squared distance divided by the squared length of the
 * teacher's state, with the positions weighted as in the loss.
 */
export function addStateLoss(
  writer: GraphWriter,
  { loss, seeds }: WrittenLoss,
  { states, weight, hiddenSize }: StateLossOptions,
): WrittenLoss {
  const terms = states.map(({ student, teacher }) => {
    const rows = (tensor: string) => writer.op('Reshape', [tensor, writer.integers([-1, hiddenSize])])
    const wanted = rows(teacher)
    const difference = writer.op('Sub', [rows(student), wanted])
    const share = writer.op('Div', [WEIGHTS_INPUT, writeSquares(writer, wanted)])
    const term = writer.op('Mul', [writeSquares(writer, difference), share])
    const slope = writer.op('Mul', [share, writer.float(2 * weight)])
    const gradient = writer.op('Mul', [difference, slope])
    seeds.set(student, writer.op('Reshape', [gradient, writer.op('Shape', [student])]))
    return writer.op('Mul', [writer.op('ReduceSum', [term], { keepdims: 0 }), writer.float(weight)])
  })
  return { loss: terms.reduce((sum, term) => writer.op('Add', [sum, term]), loss), seeds }
}

/** [positions, 1] */
function writeSquares(writer: GraphWriter, rows: string): string {
  return writer.op('ReduceSum', [writer.op('Mul', [rows, rows]), writer.integers([1])], { keepdims: 1 })
}

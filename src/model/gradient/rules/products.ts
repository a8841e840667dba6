import { floatAttribute, integerAttribute } from '../../graph/onnx/constants.js'
import { type Passage, type Rule, sumToTensor } from '../rule.js'

/**
 * Y = alpha op(A) op(B), where op may transpose the last two axes: the gradient of each factor is the product of Y's
 * gradient with the other factor, transposed accordingly.
 */
export const productRule: Rule = (gradient, passage) => {
  const { node, needs, shapes } = passage
  const rank = shapes.of(node.input[1]!)?.length
  return [
    needs(0) ? leftGradient(gradient, passage) : undefined,
    needs(1) ? (rank === 2 ? weightGradient : rightGradient)(gradient, passage) : undefined,
  ]
}

interface Form {
  alpha: number
  transA: boolean
  transB: boolean
}

function formOf({ node }: Passage): Form {
  return {
    alpha: floatAttribute(node, 'alpha', 1),
    transA: integerAttribute(node, 'transA', 0) === 1,
    transB: integerAttribute(node, 'transB', 0) === 1,
  }
}

function leftGradient(gradient: string, passage: Passage): string {
  const { node, shapes } = passage
  const { alpha, transA, transB } = formOf(passage)
  const right = node.input[1]!
  const product = transA
    ? multiply(passage, right, gradient, { alpha, transA: transB, transB: true })
    : multiply(passage, gradient, right, { alpha, transA: false, transB: !transB })
  const ranks = node.input.slice(0, 2).map((name) => shapes.of(name)?.length)
  // usually one matrix multiplies the whole batch; the batch axes are then those of the gradient
  return ranks[1] === 2 ? product : sumBatch(passage, product, 0)
}

function rightGradient(gradient: string, passage: Passage): string {
  const { alpha, transA, transB } = formOf(passage)
  const left = passage.node.input[0]!
  const product = transB
    ? multiply(passage, gradient, left, { alpha, transA: true, transB: transA })
    : multiply(passage, left, gradient, { alpha, transA: !transA, transB: false })
  return sumBatch(passage, product, 1)
}

/** Gradient of a weight matrix: one product over the rows of all batches. */
function weightGradient(gradient: string, passage: Passage): string {
  const { writer, node, shapes } = passage
  const { alpha, transA, transB } = formOf(passage)
  const sizes = shapes.of(node.input[1]!)!
  const [inputs, outputs] = transB ? [sizes[1], sizes[0]] : sizes
  if (transA || typeof inputs !== 'number' || typeof outputs !== 'number') {
    throw new Error(`the size of ${node.input[1]} is not known`)
  }
  const flat = (tensor: string, width: number) => writer.op('Reshape', [tensor, writer.integers([-1, width])])
  const [left, right] = [flat(node.input[0]!, inputs), flat(gradient, outputs)]
  const pair = transB ? [right, left] : [left, right]
  return multiply(passage, pair[0]!, pair[1]!, { alpha, transA: true, transB: false })
}

function multiply({ writer }: Passage, left: string, right: string, { alpha, transA, transB }: Form): string {
  if (alpha === 1 && !transA && !transB) return writer.op('MatMul', [left, right])
  return writer.op('FusedMatMul', [left, right], {
    transA: transA ? 1 : 0,
    transB: transB ? 1 : 0,
    alpha: { float: alpha },
  })
}

/** Sums over batch axes that one factor was broadcast to. */
function sumBatch(passage: Passage, product: string, input: number): string {
  const { node, shapes } = passage
  const [own, other] = [input, 1 - input].map((index) => shapes.of(node.input[index]!)?.slice(0, -2))
  const isSame = own?.length === other?.length && own?.every((size, axis) => size === other![axis])
  return isSame ? product : sumToTensor(passage, product, undefined, node.input[input]!)
}

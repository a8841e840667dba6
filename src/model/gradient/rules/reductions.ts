import { integerAttribute } from '../../graph/onnx/constants.js'
import { type Rule, sumToInput } from '../rule.js'

/** p = softmax(x): dx = p (dp - sum(dp p)). */
export const softmaxRule: Rule = (gradient, { writer, node }) => {
  const [probabilities] = node.output as [string]
  const axis = writer.integers([integerAttribute(node, 'axis', -1)])
  const shared = writer.op('ReduceSum', [writer.op('Mul', [gradient, probabilities]), axis], { keepdims: 1 })
  return [writer.op('Mul', [probabilities, writer.op('Sub', [gradient, shared])])]
}

/** ReduceLogSumExp, y = log(sum(exp(x))), with kept axes: dx = dy exp(x - y). */
export const logSumExpRule: Rule = (gradient, { writer, node }) => {
  const share = writer.op('Exp', [writer.op('Sub', [node.input[0]!, node.output[0]!])])
  return [writer.op('Mul', [gradient, share])]
}

/** ReduceSum with kept axes. */
export const reduceSumRule: Rule = (gradient, { writer, node }) => [
  writer.op('Expand', [gradient, writer.op('Shape', [node.input[0]!])]),
]

export const expandRule: Rule = (gradient, passage) => [sumToInput(passage, gradient, 0)]

import { floatAttribute, stringAttribute } from '../../graph/onnx/constants.js'
import { type Passage, type Rule, sumToInput } from '../rule.js'

/** The rule of an operator of one input: the gradient times the derivative at each element. */
function scaled(derivative: (passage: Passage) => string): Rule {
  return (gradient, passage) => [passage.writer.op('Mul', [gradient, derivative(passage)])]
}

/** The rule of an operator of two inputs that are broadcast to one shape. */
function binary(
  left: (gradient: string, passage: Passage) => string,
  right: (gradient: string, passage: Passage) => string,
): Rule {
  return (gradient, passage) =>
    [left, right].map((of, input) =>
      passage.needs(input) ? sumToInput(passage, of(gradient, passage), input) : undefined,
    )
}

const same = (gradient: string) => gradient

export const addRule = binary(same, same)

const differenceRule = binary(same, (gradient, { writer }) => writer.op('Neg', [gradient]))

/** x - x is 0 for every x. */
export const subRule: Rule = (gradient, passage) =>
  passage.node.input[0] === passage.node.input[1] ? [] : differenceRule(gradient, passage)

export const mulRule = binary(
  (gradient, { writer, node }) => writer.op('Mul', [gradient, node.input[1]!]),
  (gradient, { writer, node }) => writer.op('Mul', [gradient, node.input[0]!]),
)

export const divRule = binary(
  (gradient, { writer, node }) => writer.op('Div', [gradient, node.input[1]!]),
  (gradient, { writer, node }) => {
    const share = writer.op('Div', [node.output[0]!, node.input[1]!])
    return writer.op('Neg', [writer.op('Mul', [gradient, share])])
  },
)

/** Min and Max: the gradient goes to the input that was chosen, the first if they are equal. */
export const extremeRule = binary(
  (gradient, { writer, node }) =>
    writer.op('Where', [writer.op('Equal', node.input.slice(0, 1).concat(node.output)), gradient, writer.float(0)]),
  (gradient, { writer, node }) =>
    writer.op('Where', [writer.op('Equal', node.input.slice(0, 1).concat(node.output)), writer.float(0), gradient]),
)

export const whereRule: Rule = (gradient, passage) => {
  const { writer, node, needs } = passage
  const zero = writer.float(0)
  const choose = (input: number, values: string[]) =>
    needs(input) ? sumToInput(passage, writer.op('Where', [node.input[0]!, ...values]), input) : undefined
  return [undefined, choose(1, [gradient, zero]), choose(2, [zero, gradient])]
}

/** Inside the bounds the output is the input. */
export const clipRule: Rule = (gradient, { writer, node }) => [
  writer.op('Where', [writer.op('Equal', [node.input[0]!, node.output[0]!]), gradient, writer.float(0)]),
]

export const negRule: Rule = (gradient, { writer }) => [writer.op('Neg', [gradient])]

export const expRule = scaled(({ node }) => node.output[0]!)

export const sigmoidRule = scaled(({ writer, node: { output } }) =>
  writer.op('Mul', [output[0]!, writer.op('Sub', [writer.float(1), output[0]!])]),
)

export const tanhRule = scaled(({ writer, node: { output } }) =>
  writer.op('Sub', [writer.float(1), writer.op('Mul', [output[0]!, output[0]!])]),
)

export const softplusRule = scaled(({ writer, node }) => writer.op('Sigmoid', [node.input[0]!]))

export const reluRule: Rule = (gradient, { writer, node }) => [
  writer.op('Where', [writer.op('Greater', [node.input[0]!, writer.float(0)]), gradient, writer.float(0)]),
]

/** Below zero the output is alpha * (e^x - 1), so the derivative is the output plus alpha. */
export const eluRule = scaled(({ writer, node }) => {
  const alpha = writer.float(floatAttribute(node, 'alpha', 1))
  const isPositive = writer.op('Greater', [node.input[0]!, writer.float(0)])
  return writer.op('Where', [isPositive, writer.float(1), writer.op('Add', [node.output[0]!, alpha])])
})

/** y = x s(alpha x) with the logistic s: y' = s + alpha y (1 - s). */
export const quickGeluRule = scaled(({ writer, node }) => {
  const alpha = floatAttribute(node, 'alpha', 1.702)
  const times = (tensor: string) => (alpha === 1 ? tensor : writer.op('Mul', [tensor, writer.float(alpha)]))
  const logistic = writer.op('Sigmoid', [times(node.input[0]!)])
  const output = times(node.output[0]!)
  const rest = writer.op('Sub', [writer.float(1), output])
  return writer.op('Add', [output, writer.op('Mul', [logistic, rest])])
})

/** y = x P(x): y' = P(x) + x P'(x), with P the normal distribution or its approximation by tanh. */
export const geluRule = scaled((passage) =>
  stringAttribute(passage.node, 'approximate', 'none') === 'tanh'
    ? tanhGeluDerivative(passage)
    : exactGeluDerivative(passage),
)

function exactGeluDerivative({ writer, node }: Passage): string {
  const [input] = node.input as [string]
  const times = (tensor: string, factor: number) => writer.op('Mul', [tensor, writer.float(factor)])
  const plusOne = writer.op('Add', [writer.op('Erf', [times(input, Math.SQRT1_2)]), writer.float(1)])
  const bell = writer.op('Exp', [times(writer.op('Mul', [input, input]), -0.5)])
  const density = writer.op('Mul', [input, times(bell, 1 / Math.sqrt(2 * Math.PI))])
  return writer.op('Add', [times(plusOne, 0.5), density])
}

const CUBIC = 0.044715

function tanhGeluDerivative({ writer, node }: Passage): string {
  const [input] = node.input as [string]
  const times = (tensor: string, factor: number) => writer.op('Mul', [tensor, writer.float(factor)])
  const plus = (tensor: string, term: number) => writer.op('Add', [tensor, writer.float(term)])
  const scale = Math.sqrt(2 / Math.PI)
  const square = writer.op('Mul', [input, input])
  const inner = writer.op('Mul', [input, plus(times(square, scale * CUBIC), scale)])
  const tanh = writer.op('Tanh', [inner])
  const slope = plus(times(square, 3 * scale * CUBIC), scale)
  const curve = writer.op('Sub', [writer.float(1), writer.op('Mul', [tanh, tanh])])
  const turn = writer.op('Mul', [times(input, 0.5), writer.op('Mul', [curve, slope])])
  return writer.op('Add', [times(plus(tanh, 1), 0.5), turn])
}

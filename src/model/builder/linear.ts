import type { Activation, Linear, Xielu } from '../families/describe/description.js'
import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import type { DecoderWriter } from './decoder-writer.js'

/** Names of a matrix and a bias in the graph. */
export interface Product {
  matrix: string
  /** Whether the matrix is stored as [inputs, outputs]. */
  transposed: boolean
  bias: string | null
}

/** Multiplies the last axis of a tensor by a weight matrix. */
export function writeLinear(writer: DecoderWriter, linear: Linear, input: string): string {
  const product = writeProduct(writer, readProduct(writer, linear), input)
  if (linear.adapter === undefined) return product
  const { into, back } = linear.adapter
  return writer.op('Add', [product, writeLinear(writer, back, writeLinear(writer, into, input))])
}

/**
 * The tensors of a matrix product.
 * @param rows outputs [start, end), if not all are needed; not for a transposed matrix or a fused weight with biases
 */
export function readProduct(writer: DecoderWriter, linear: Linear, rows?: [start: number, end: number]): Product {
  const { weight, inputs, outputs, fused } = linear
  const transposed = isTransposed(writer, linear)
  const size: [number, number] = transposed ? [inputs, outputs] : [outputs, inputs]
  const part = transposed ? undefined : rows
  if (fused === undefined) {
    const bias = linear.bias === null ? null : writer.weights.float(linear.bias, [outputs], part)
    return { matrix: writer.weights.float(weight, size, part), transposed, bias }
  }
  const first = fused.index * size[0]
  const [start, end] = part ?? [0, size[0]]
  const shape = fused.isFlat ? [fused.count * size[0], size[1]] : [fused.count, ...size]
  const matrix = writer.weights.float(weight, shape, [first + start, first + end])
  const row: [number, number] = [fused.index, fused.index + 1]
  const bias = linear.bias === null ? null : writer.weights.float(linear.bias, [fused.count, outputs], row)
  return { matrix, transposed, bias }
}

/** Whether the matrix of a product is stored as [inputs, outputs]. */
export function isTransposed(
  writer: DecoderWriter,
  { weight, inputs, outputs, fused, transposed = false }: Linear,
): boolean {
  if (transposed !== 'by shape') return transposed
  const usual = [...(fused === undefined ? [] : [fused.count]), outputs, inputs]
  return !writer.weights.hasShape(weight, usual)
}

/** Reads the matrix as it is stored: transposing it first would copy every weight. */
export function writeProduct(writer: GraphWriter, { matrix, transposed, bias }: Product, input: string): string {
  const product = transposed
    ? writer.op('MatMul', [input, matrix])
    : writer.op('FusedMatMul', [input, matrix], { transB: 1 })
  return bias === null ? product : writer.op('Add', [product, bias])
}

/** Multiplies a tensor by a number, unless that is 1. */
export function writeScaled(writer: GraphWriter, input: string, factor: number): string {
  return factor === 1 ? input : writer.op('Mul', [input, writer.float(factor)])
}

export function writeActivation(writer: DecoderWriter, activation: Activation, input: string): string {
  if (typeof activation === 'object') return writeXielu(writer, activation, input)
  switch (activation) {
    case 'silu':
      return writer.op('QuickGelu', [input], { alpha: { float: 1 } })
    case 'quick_gelu':
      return writer.op('QuickGelu', [input], { alpha: { float: 1.702 } })
    case 'gelu':
      return writer.op('Gelu', [input], { approximate: 'none' })
    case 'gelu_tanh':
      return writer.op('Gelu', [input], { approximate: 'tanh' })
    case 'relu':
      return writer.op('Relu', [input])
    case 'relu2': {
      const positive = writer.op('Relu', [input])
      return writer.op('Mul', [positive, positive])
    }
    case 'sigmoid':
      return writer.op('Sigmoid', [input])
    case 'tanh':
      return writer.op('Tanh', [input])
  }
}

/** beta * x plus positive * x^2 for x > 0, else plus negative * (e^min(x, epsilon) - 1 - x). */
function writeXielu(writer: DecoderWriter, xielu: Xielu, input: string): string {
  const beta = writer.weights.float(xielu.beta, [])
  const factor = (name: string) => writer.op('Softplus', [writer.weights.float(name, [1])])
  const square = writer.op('Mul', [writer.op('Mul', [input, input]), factor(xielu.positive)])
  const bounded = writer.op('Min', [input, writer.weights.float(xielu.epsilon, [])])
  const bend = writer.op('Sub', [writer.op('Elu', [bounded], { alpha: { float: 1 } }), input])
  const bent = writer.op('Mul', [bend, writer.op('Add', [factor(xielu.negative), beta])])
  const isPositive = writer.op('Greater', [input, writer.float(0)])
  const curve = writer.op('Where', [isPositive, square, bent])
  return writer.op('Add', [curve, writer.op('Mul', [input, beta])])
}

/** limit * tanh(values / limit) */
export function writeCap(writer: GraphWriter, values: string, limit: number): string {
  const bound = writer.float(limit)
  return writer.op('Mul', [writer.op('Tanh', [writer.op('Div', [values, bound])]), bound])
}

/** -exp(rate), the logarithm of a state's decay over a unit time step. @param rate name of the stored tensor */
export function writeDecayRate(writer: DecoderWriter, rate: string, shape: number[]): string {
  return writer.op('Neg', [writer.op('Exp', [writer.weights.float(rate, shape)])])
}

import { integerAttribute } from '../../graph/onnx/constants.js'
import { DataType } from '../../graph/onnx/onnx.js'
import type { Dimension } from '../../graph/shapes.js'
import type { InputGradients, Passage, Rule } from '../rule.js'

export const identityRule: Rule = (gradient) => [gradient]

/** Casts to integers or booleans have no gradient. */
export const castRule: Rule = (gradient, { node }) =>
  integerAttribute(node, 'to', DataType.UNDEFINED) === DataType.FLOAT ? [gradient] : []

/**
 * The rule of a reshape. A tensor whose shape is read in the backward pass is kept until then, so known shapes are
 * written as constants.
 */
export const reshapeRule: Rule = (gradient, { writer, node, shapes }) => {
  const input = node.input[0]!
  const target = findTarget(shapes.of(input), shapes.of(node.output[0]!))
  return target === undefined
    ? [writer.op('Reshape', [gradient, writer.op('Shape', [input])], { allowzero: 1 })]
    : [writer.op('Reshape', [gradient, writer.integers(target)])]
}

/** A shape as Reshape takes it (0 copies the axis, -1 is inferred); undefined if unknown. */
function findTarget(to: Dimension[] | undefined, from: Dimension[] | undefined): number[] | undefined {
  const target = to?.map((size, axis) => (typeof size === 'number' ? size : size === from?.[axis] ? 0 : -1))
  return target === undefined || target.filter((size) => size === -1).length > 1 ? undefined : target
}

export const transposeRule: Rule = (gradient, { writer, node }) => {
  const order = node.attribute.find(({ name }) => name === 'perm')?.ints.map(Number)
  if (order === undefined) return [writer.op('Transpose', [gradient])]
  const inverse = order.map((_, axis) => order.indexOf(axis))
  return [writer.op('Transpose', [gradient], { perm: inverse })]
}

/** The transpose of a rotation is the rotation by the opposite angle, with the same factor on cosines and sines. */
export const rotationRule: Rule = (gradient, { writer, node }) => {
  const [, rows, cosines, sines] = node.input as [string, string, string, string]
  const opposite = writer.op('Neg', [sines])
  return [
    writer.op('RotaryEmbedding', [gradient, rows, cosines, opposite], {
      interleaved: integerAttribute(node, 'interleaved', 0),
      num_heads: integerAttribute(node, 'num_heads', 0),
      rotary_embedding_dim: integerAttribute(node, 'rotary_embedding_dim', 0),
    }),
  ]
}

/** Parts that the loss does not depend on count as zeros. */
export function splitRule({ writer, node, outputs }: Passage): InputGradients {
  const parts = outputs.map((gradient, index) => gradient ?? writeZeros({ writer }, node.output[index]!))
  return [writer.op('Concat', parts, { axis: integerAttribute(node, 'axis', 0) })]
}

export const concatRule: Rule = (gradient, { writer, node }) => {
  const axis = integerAttribute(node, 'axis', 0)
  const lengths = node.input.map((input) => lengthOf({ writer }, input, axis))
  const sizes = writer.op('Concat', lengths, { axis: 0 })
  return writer.ops('Split', [gradient, sizes], node.input.length, { axis })
}

/** Pads the gradient with zeros; slices of one axis in steps of one only. */
export const sliceRule: Rule = (gradient, { writer, node }) => {
  const [input, start, , axes] = node.input as [string, string, string, string]
  const length = writer.op('Gather', [writer.op('Shape', [input]), axes])
  const taken = writer.op('Gather', [writer.op('Shape', [gradient]), axes])
  const isNegative = writer.op('Less', [start, writer.integers([0])])
  const fromEnd = writer.op('Where', [isNegative, writer.op('Add', [start, length]), start])
  const before = writer.op('Min', [fromEnd, length])
  const after = writer.op('Sub', [writer.op('Sub', [length, taken]), before])
  const pads = writer.op('Concat', [before, after], { axis: 0 })
  return [writer.op('Pad', [gradient, pads, '', axes])]
}

function writeZeros({ writer }: Pick<Passage, 'writer'>, like: string): string {
  return writer.op('Expand', [writer.float(0), writer.op('Shape', [like])])
}

/** int64 [1] */
function lengthOf({ writer }: Pick<Passage, 'writer'>, tensor: string, axis: number): string {
  return writer.op('Gather', [writer.op('Shape', [tensor]), writer.integers([axis])])
}

import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import type { NodeProto } from '../graph/onnx/onnx.js'
import type { Dimension, Shapes } from '../graph/shapes.js'

/** A node that a gradient passes through, and what its rule may use. */
export interface Passage {
  writer: GraphWriter
  node: NodeProto
  /** Gradient of each output; undefined if the loss does not depend on it. */
  outputs: (string | undefined)[]
  /** Whether the gradient of an input is needed. */
  needs: (input: number) => boolean
  shapes: Shapes
}

/** Gradients of a node's inputs, by index; those not needed may be omitted. */
export type InputGradients = (string | undefined)[]

/**
 * Maps the gradient of a node's first output to the gradients of its inputs.
 * @param gradient of the first output, in its shape
 */
export type Rule = (gradient: string, passage: Passage) => InputGradients

/** Sums a gradient over the axes along which an input was broadcast to the shape of the output. */
export function sumToInput(passage: Passage, gradient: string, input: number): string {
  const { node, shapes } = passage
  return sumToTensor(passage, gradient, shapes.of(node.output[0]!), node.input[input]!)
}

/**
 * Sums a gradient over the axes along which a tensor was broadcast.
 * @param from shape of the gradient; undefined if it is not known
 */
export function sumToTensor(
  { writer, shapes }: Pick<Passage, 'writer' | 'shapes'>,
  gradient: string,
  from: Dimension[] | undefined,
  tensor: string,
): string {
  const to = shapes.of(tensor)
  if (from !== undefined && to !== undefined && isSame(from, to)) return gradient
  const axes = from && to ? repeatedAxes(from, to) : undefined
  const summed =
    axes === undefined
      ? writeSumByShape(writer, gradient, tensor)
      : writer.op('ReduceSum', [gradient, writer.integers(axes)], { keepdims: 1 })
  return writer.op('Reshape', [summed, writer.op('Shape', [tensor])], { allowzero: 1 })
}

function isSame(from: Dimension[], to: Dimension[]): boolean {
  return from.length === to.length && from.every((size, axis) => size === to[axis])
}

/** Axes along which a shape was broadcast; undefined if unknown. */
function repeatedAxes(from: Dimension[], to: Dimension[]): number[] | undefined {
  const added = from.length - to.length
  const axes = from.flatMap((size, axis) => {
    if (axis < added) return [axis]
    const own = to[axis - added]!
    if (own === size) return []
    return own === 1 ? [axis] : [Number.NaN]
  })
  return axes.some(Number.isNaN) ? undefined : axes
}

/** Sums over the axes whose lengths differ from those of a tensor at run time. */
function writeSumByShape(writer: GraphWriter, gradient: string, tensor: string): string {
  const shape = writer.op('Shape', [gradient])
  const own = writer.op('Shape', [tensor])
  const added = writer.op('Sub', [writer.op('Shape', [shape]), writer.op('Shape', [own])])
  const ones = writer.op('Expand', [writer.integers([1]), added])
  const padded = writer.op('Concat', [ones, own], { axis: 0 })
  const differs = writer.op('Not', [writer.op('Equal', [shape, padded])])
  const axes = writer.op('Reshape', [writer.op('NonZero', [differs]), writer.integers([-1])])
  return writer.op('ReduceSum', [gradient, axes], { keepdims: 1, noop_with_empty_axes: 1 })
}

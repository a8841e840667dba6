import { integerAttribute, readConstant } from './onnx/constants.js'
import { dimensions, type GraphProto, type NodeProto } from './onnx/onnx.js'

/** Length of an axis: a number, or a name for an unknown length. */
export type Dimension = number | string

/**
 * Shapes of a graph's tensors, inferred from its weights, its inputs and its declarations. They decide where a gradient
 * needs no sum, so an unknown shape costs time but is never wrong.
 */
export class Shapes {
  readonly #known = new Map<string, Dimension[]>()
  readonly #constants: (name: string) => number[] | undefined
  #unnamed = 0

  /** @param graph its nodes in topological order */
  constructor(graph: GraphProto) {
    const initializers = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]))
    this.#constants = (name) => readConstant(initializers.get(name))
    for (const { name, dims } of graph.initializer) this.#known.set(name, dims.map(Number))
    for (const info of [...graph.input, ...graph.valueInfo]) this.#known.set(info.name, dimensions(info))
    for (const node of graph.node) {
      const inferred = this.#infer(node)
      for (const [index, shape] of inferred.entries()) {
        const name = node.output[index]
        if (name && shape !== undefined && !this.#known.has(name)) this.#known.set(name, shape)
      }
    }
  }

  of(name: string): Dimension[] | undefined {
    return this.#known.get(name)
  }

  #infer(node: NodeProto): (Dimension[] | undefined)[] {
    const shapes = node.input.map((name) => this.#known.get(name))
    const [first, second] = shapes
    switch (node.opType) {
      case 'SkipSimplifiedLayerNormalization':
      case 'SkipLayerNormalization': {
        const sum = mergeShapes(first, second)
        return [sum, undefined, undefined, sum]
      }
      case 'Add':
      case 'Sub':
      case 'Mul':
      case 'Div':
      case 'Min':
      case 'Max':
        return [this.#broadcast(first, second)]
      case 'MatMul':
      case 'FusedMatMul':
        return [this.#product(node, first, second)]
      case 'Gather':
        return [integerAttribute(node, 'axis', 0) === 0 && first && second ? [...second, ...first.slice(1)] : undefined]
      case 'Transpose':
        return [first && permute(node, first)]
      case 'Reshape':
        return [first && this.#reshape(first, this.#constants(node.input[1]!))]
      case 'Split':
        return node.output.map((_, part) => first && this.#part(node, first, part))
      case 'Slice':
        return [first && this.#slice(node, first)]
      case 'Concat':
        return [this.#join(node, shapes)]
      case 'ReduceSum':
        return [first && reduce(node, first, this.#constants(node.input[1]!))]
      case 'Unsqueeze':
        return [first && insertOnes(first, this.#constants(node.input[1]!))]
      default:
        return KEEPS_SHAPE.has(node.opType) ? [first] : []
    }
  }

  #broadcast(first: Dimension[] | undefined, second: Dimension[] | undefined): Dimension[] | undefined {
    if (first === undefined || second === undefined) return undefined
    const rank = Math.max(first.length, second.length)
    const aligned = [first, second].map((shape) => [...new Array<Dimension>(rank - shape.length).fill(1), ...shape])
    return aligned[0]!.map((size, axis) => {
      const other = aligned[1]![axis]!
      if (size === other || other === 1) return size
      return size === 1 ? other : this.#newName()
    })
  }

  #product(node: NodeProto, first: Dimension[] | undefined, second: Dimension[] | undefined): Dimension[] | undefined {
    if (first === undefined || second === undefined || first.length < second.length) return undefined
    const isTransposed = (name: string) => integerAttribute(node, name, 0) === 1
    const rows = first.at(isTransposed('transA') ? -1 : -2)
    const columns = second.at(isTransposed('transB') ? -2 : -1)
    return rows === undefined || columns === undefined ? undefined : [...first.slice(0, -2), rows, columns]
  }

  /** 0 copies the length of the axis, -1 is inferred. */
  #reshape(shape: Dimension[], target: number[] | undefined): Dimension[] | undefined {
    return target?.map((size, axis) => (size === 0 ? shape[axis]! : size === -1 ? this.#newName() : size))
  }

  #part(node: NodeProto, shape: Dimension[], part: number): Dimension[] {
    const axis = integerAttribute(node, 'axis', 0)
    const size = this.#constants(node.input[1]!)?.[part] ?? this.#newName()
    return shape.with(axis, size)
  }

  #join(node: NodeProto, shapes: (Dimension[] | undefined)[]): Dimension[] | undefined {
    const [first] = shapes
    if (first === undefined || shapes.includes(undefined)) return undefined
    const axis = integerAttribute(node, 'axis', 0)
    const sizes = shapes.map((shape) => shape!.at(axis)!)
    const isKnown = sizes.every((size) => typeof size === 'number')
    return first.with(axis, isKnown ? sizes.reduce((sum, size) => sum + size, 0) : this.#newName())
  }

  #slice({ input }: NodeProto, shape: Dimension[]): Dimension[] | undefined {
    const [start, end, axes] = input.slice(1, 4).map((name) => this.#constants(name))
    if (axes?.length !== 1 || input.length > 4) return undefined
    const axis = axes[0]! < 0 ? axes[0]! + shape.length : axes[0]!
    const size = shape[axis]!
    const isKnown = start !== undefined && end !== undefined && start[0]! >= 0 && end[0]! >= start[0]!
    const length = isKnown && typeof size === 'number' && end[0]! <= size ? end[0]! - start[0]! : undefined
    return shape.with(axis, length ?? this.#newName())
  }

  #newName(): string {
    return `?${this.#unnamed++}`
  }
}

/** Operators whose first output has the shape of the first input. */
const KEEPS_SHAPE = new Set([
  ...['Cast', 'Clip', 'Elu', 'Exp', 'Gelu', 'Identity', 'Log', 'LogSoftmax', 'Neg', 'QuickGelu', 'Relu'],
  ...['RotaryEmbedding', 'Sigmoid', 'Softmax', 'Softplus', 'Sqrt', 'Tanh'],
  ...['LayerNormalization', 'SimplifiedLayerNormalization'],
])

/** The common shape of two tensors, with a number for each length that either of them knows. */
function mergeShapes(first: Dimension[] | undefined, second: Dimension[] | undefined): Dimension[] | undefined {
  if (first === undefined || second === undefined) return first ?? second
  return first.map((size, axis) => (typeof size === 'number' ? size : second[axis]!))
}

function permute(node: NodeProto, shape: Dimension[]): Dimension[] {
  const order = node.attribute.find(({ name }) => name === 'perm')?.ints.map(Number)
  return order ? order.map((axis) => shape[axis]!) : shape.toReversed()
}

function reduce(node: NodeProto, shape: Dimension[], axes: number[] | undefined): Dimension[] | undefined {
  if (axes === undefined) return undefined
  const reduced = new Set(axes.map((axis) => (axis < 0 ? axis + shape.length : axis)))
  return integerAttribute(node, 'keepdims', 1) === 1
    ? shape.map((size, axis) => (reduced.has(axis) ? 1 : size))
    : shape.filter((_, axis) => !reduced.has(axis))
}

function insertOnes(shape: Dimension[], axes: number[] | undefined): Dimension[] | undefined {
  if (axes === undefined) return undefined
  const rank = shape.length + axes.length
  const ones = new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)))
  const rest = [...shape]
  return Array.from({ length: rank }, (_, axis) => (ones.has(axis) ? 1 : rest.shift()!))
}

import { create } from '@bufbuild/protobuf'
import { TensorProtoSchema } from 'onnx-buf'
import {
  DataType,
  type GraphProto,
  MICROSOFT_DOMAIN,
  makeInt64Tensor,
  makeNode,
  makeValueInfo,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from './onnx.js'

/** Operators of ONNX Runtime's own domain that the builder uses. */
const MICROSOFT_OPERATORS = new Set([
  'CausalConvWithState',
  'FusedMatMul',
  'GroupQueryAttention',
  'LinearAttention',
  'QuickGelu',
  'RotaryEmbedding',
  'SkipLayerNormalization',
  'SkipSimplifiedLayerNormalization',
])

type Attributes = NonNullable<Parameters<typeof makeNode>[3]>

/** Collects the nodes and small constants of a graph and names their tensors; '' is an omitted input. */
export class GraphWriter {
  readonly nodes: NodeProto[] = []
  readonly initializers = new Map<string, TensorProto>()
  readonly valueInfos: ValueInfoProto[] = []
  /** Prefix of the next names, as in `layers.3.attention`. */
  #scope = ''
  readonly #uses = new Map<string, number>()
  readonly #namespace: string

  /** @param namespace prefix of its tensors, if its nodes are added to another graph */
  constructor(namespace = '') {
    this.#namespace = namespace
  }

  /** Calls `write` with `scope` added to the prefix of names; calls can be nested. */
  inScope<T>(scope: string, write: () => T): T {
    const outer = this.#scope
    this.#scope = outer === '' ? scope : `${outer}.${scope}`
    try {
      return write()
    } finally {
      this.#scope = outer
    }
  }

  /** Adds the nodes and constants to a graph, in place; constants of the same name are equal. */
  addTo(graph: GraphProto): void {
    const known = new Set(graph.initializer.map(({ name }) => name))
    graph.node.push(...this.nodes)
    graph.initializer.push(...[...this.initializers.values()].filter(({ name }) => !known.has(name)))
    graph.valueInfo.push(...this.valueInfos)
  }

  /** Adds a node and returns the name of its only output. */
  op(opType: string, inputs: string[], attributes: Attributes = {}): string {
    return this.ops(opType, inputs, 1, attributes)[0]!
  }

  /** Adds a node and returns the names of its outputs. */
  ops(opType: string, inputs: string[], outputCount: number, attributes: Attributes = {}): string[] {
    const name = this.#unused(`${this.#scope}/${opType}`)
    const outputs = Array.from({ length: outputCount }, (_, index) => (index === 0 ? name : `${name}.${index}`))
    const domain = MICROSOFT_OPERATORS.has(opType) ? MICROSOFT_DOMAIN : ''
    this.nodes.push(makeNode(opType, inputs, outputs, attributes, domain))
    return outputs
  }

  /**
   * Declares the dimensions of a float32 tensor, by name if they are not known. Tensors of equal dimensions share
   * memory; without declarations ONNX Runtime spends a second on the search among a thousand of them.
   */
  dimensions(tensor: string, dimensions: (number | string)[]): string {
    this.valueInfos.push(makeValueInfo(tensor, DataType.FLOAT, dimensions))
    return tensor
  }

  /** A constant of int64; without `shape`, a list. */
  integers(values: number[], shape = [values.length]): string {
    const name = `integers[${shape}]:${values}`
    if (!this.initializers.has(name)) this.initializers.set(name, makeInt64Tensor(name, shape, values))
    return name
  }

  /** A constant of float32; without `shape`, a list. */
  floats(values: number[], shape = [values.length]): string {
    const name = this.#unused(this.#scope === '' ? 'floats' : `${this.#scope}/floats`)
    const data = new Uint8Array(Float32Array.from(values).buffer)
    this.initializers.set(
      name,
      create(TensorProtoSchema, {
        name,
        dataType: DataType.FLOAT,
        dims: shape.map(BigInt),
        rawData: data,
      }),
    )
    return name
  }

  /** A constant of float32 without dimensions. */
  float(value: number): string {
    return this.floats([value], [])
  }

  #unused(name: string): string {
    const uses = this.#uses.get(name) ?? 0
    this.#uses.set(name, uses + 1)
    return `${this.#namespace}${name}${uses === 0 ? '' : `_${uses}`}`
  }
}

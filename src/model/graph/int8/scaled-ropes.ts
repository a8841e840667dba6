import {
  BATCH,
  DataType,
  type GraphProto,
  makeInt64Tensor,
  makeNode,
  makeValueInfo,
  type NodeProto,
  readInteger,
  type TensorProto,
  TOKENS,
} from '../onnx/onnx.js'
import type { Topology } from '../onnx/topology.js'
import { readIntegers } from '../stored-matrix.js'

/**
 * Multiplies rotated queries and keys by a factor per token. The factors go into the cosines and sines,
 * of which there are fewer than channels; each token then has its own.
 */
export class ScaledRopes {
  readonly #step: string
  readonly #constants: Map<string, TensorProto>
  readonly #nodes = new Map<string, NodeProto>()
  readonly #pairs = new Map<string, number>()

  /**
   * @param graph  whose rotations are scaled
   * @param step  part of the names of all new tensors
   */
  constructor({ initializer }: GraphProto, step: string) {
    this.#step = step
    this.#constants = new Map(initializer.map((tensor) => [tensor.name, tensor]))
  }

  /** Finds the rotation that alone reads queries or keys, if it rotates all channels of their heads. */
  find(tensor: string, { nodes, consumers }: Topology): NodeProto | undefined {
    const [position, ...others] = consumers.get(tensor) ?? []
    const reader = nodes[position ?? -1]
    if (reader?.opType !== 'RotaryEmbedding' || reader.input[0] !== tensor || others.length > 0) return undefined
    const rows = reader.input[1]!
    const isCounted = !this.#constants.has(rows) || this.#startsAtZero(rows)
    return isCounted && (readInteger(reader, 'rotary_embedding_dim') ?? 0) === 0 ? reader : undefined
  }

  /**
   * Makes a rotation that was found read scaled tables, in place.
   * @param width of the tensor that it rotates
   * @param scales float32 [batch, tokens, 1]
   */
  scale(rope: NodeProto, width: number, scales: string): void {
    const [tensor, rows, ...tables] = rope.input as [string, string, string, string]
    const pairs = width / readInteger(rope, 'num_heads')! / 2
    const scaled = tables.map((table) => this.#scaleTable(table, rows, pairs, scales))
    rope.input = [tensor, this.#makeRows(), ...scaled]
  }

  /** Adds to a graph what the rotations read. */
  addTo(graph: GraphProto): void {
    if (this.#nodes.size === 0) return
    graph.node.push(...this.#nodes.values())
    const float = (tensor: string, dimensions: (number | string)[]) => makeValueInfo(tensor, DataType.FLOAT, dimensions)
    for (const [name, pairs] of this.#pairs) {
      graph.valueInfo.push(
        float(`${name}/per_token`, [BATCH, TOKENS, pairs]),
        float(name, [`${BATCH} * ${TOKENS}`, pairs]),
      )
    }
    graph.initializer.push(
      ...[...new Set(this.#pairs.values())].map((pairs) => makeInt64Tensor(this.#shapeOf(pairs), [2], [-1, pairs])),
      makeInt64Tensor(this.#name('zero'), [], [0]),
      makeInt64Tensor(this.#name('one'), [], [1]),
    )
  }

  /**
   * Multiplies the row of each token.
   * @param rows int64 [batch, tokens]: each token's row of the table; or [1]: the row of every text's first token
   * @returns a table [batch * tokens, pairs]
   */
  #scaleTable(table: string, rows: string, pairs: number, scales: string): string {
    const name = `${scales}/${table}`
    if (!this.#pairs.has(name)) {
      this.#pairs.set(name, pairs)
      this.#write('Mul', [this.#spread(table, rows), scales], `${name}/per_token`)
      this.#write('Reshape', [`${name}/per_token`, this.#shapeOf(pairs)], name)
    }
    return name
  }

  /** A table's rows by token, [tokens, pairs] or [batch, tokens, pairs]. */
  #spread(table: string, rows: string): string {
    if (this.#constants.has(rows)) return table
    return this.#write('Gather', [table, rows], `${table}${this.#step}by_token`)
  }

  #startsAtZero(rows: string): boolean {
    const numbers = readIntegers(rows, this.#constants)
    return numbers?.length === 1 && numbers[0] === 0
  }

  /** int64 [batch, tokens]: index of each token in the batch. */
  #makeRows(): string {
    const [zero, one] = ['zero', 'one'].map((part) => this.#name(part))
    const count = this.#write('Size', ['input_ids'], this.#name('count'))
    const shape = this.#write('Shape', ['input_ids'], this.#name('shape'))
    const list = this.#write('Range', [zero!, count, one!], this.#name('list'))
    return this.#write('Reshape', [list, shape], this.#name('rows'))
  }

  #write(opType: string, inputs: string[], output: string): string {
    if (!this.#nodes.has(output)) this.#nodes.set(output, makeNode(opType, inputs, [output]))
    return output
  }

  #shapeOf(pairs: number): string {
    return this.#name(`shape_of_${pairs}`)
  }

  #name(part: string): string {
    return `ropes${this.#step}${part}`
  }
}

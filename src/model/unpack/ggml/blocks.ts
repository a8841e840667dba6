import { GGML_BLOCKS } from '../../../files/checkpoint/ggml-types.js'
import type { GgmlBlocksExpression } from '../../../files/checkpoint/weight-expression.js'
import { DataType } from '../../graph/onnx/onnx.js'
import type { ExpressionWriter } from '../expression-writer.js'

/** The B blocks of a packed weight as a tensor of a graph, one row per block and one column per byte. */
export class Blocks {
  readonly writer: ExpressionWriter
  readonly #expression: GgmlBlocksExpression
  readonly #ids: string | undefined
  readonly #views = new Map<DataType, string>()

  /** @param ids  int64 [count]; if given, only the blocks of these rows are taken, counted along the first axis */
  constructor(writer: ExpressionWriter, expression: GgmlBlocksExpression, ids: string | undefined) {
    this.writer = writer
    this.#expression = expression
    this.#ids = ids
  }

  /** Bytes [start, end) of each block: uint8 [B, end - start], or in another shape of a block. */
  bytes(start: number, end: number, shape = [end - start]): string {
    return this.#slice(DataType.UINT8, start, end, shape)
  }

  /** Bytes [start, end) of each block as int8, converted to float32: [B, end - start] or in another shape of a block. */
  signedBytes(start: number, end: number, shape = [end - start]): string {
    return this.writer.cast(this.#slice(DataType.INT8, start, end, shape), DataType.FLOAT)
  }

  /** The float16 at a byte of each block, in float32: [B, 1]. */
  half(start: number): string {
    return this.writer.cast(this.#slice(DataType.FLOAT16, start / 2, start / 2 + 1, [1]), DataType.FLOAT)
  }

  /** The same numbers of each block in another shape. */
  reshape(numbers: string, shape: number[]): string {
    return this.writer.op('Reshape', [numbers, this.writer.integers([-1, ...shape])])
  }

  /**
   * Unsigned integers of a few bits, packed into bytes.
   * @param bytes  uint8 [B, groups, 1, n]
   * @param shifts  lowest bit of each integer in a byte
   * @returns uint8 in `shape` of a block: for each group the n integers of the first shift, then those of the next
   */
  bits(bytes: string, shifts: number[], bits: number, shape: number[]): string {
    const { writer } = this
    const shifted = writer.op('BitShift', [bytes, writer.bytes(shifts, [1, 1, shifts.length, 1])], {
      direction: 'RIGHT',
    })
    return this.reshape(writer.op('BitwiseAnd', [shifted, writer.byte(2 ** bits - 1)]), shape)
  }

  /** Integers from their low and high bits; uint8. */
  above(low: string, high: string, lowBits: number): string {
    const { writer } = this
    const raised = writer.op('BitShift', [high, writer.byte(lowBits)], { direction: 'LEFT' })
    return writer.op('BitwiseOr', [low, raised])
  }

  /** Unsigned integers in float32, minus the zero point. */
  centred(integers: string, zero: number): string {
    const { writer } = this
    return writer.op('Sub', [writer.cast(integers, DataType.FLOAT), writer.float(zero)])
  }

  /** The values of a table at integer indices. */
  lookUp(integers: string, table: readonly number[]): string {
    const { writer } = this
    return writer.op('Gather', [writer.floats([...table]), writer.cast(integers, DataType.INT32)])
  }

  /** Reshapes the numbers of all blocks to the weight, or to its looked-up rows. */
  joined(numbers: string): string {
    const { writer } = this
    return writer.op('Reshape', [numbers, writer.shape(this.#expression.shape, this.#ids)])
  }

  #slice(type: DataType, start: number, end: number, shape: number[]): string {
    const { writer } = this
    const [first, last, axis] = [[start], [end], [1]].map((list) => writer.integers(list))
    const slice = writer.op('Slice', [this.#view(type), first!, last!, axis!])
    return shape.length === 1 ? slice : this.reshape(slice, shape)
  }

  /** The blocks as numbers of a type, [B, numbers in a block]. */
  #view(type: DataType): string {
    const known = this.#views.get(type)
    if (known !== undefined) return known
    const view = this.#makeView(type)
    this.#views.set(type, view)
    return view
  }

  #makeView(type: DataType): string {
    const { writer } = this
    const { part, shape, type: blockType } = this.#expression
    const blockBytes = GGML_BLOCKS[blockType].bytes
    const width = type === DataType.FLOAT16 ? blockBytes / 2 : blockBytes
    const blocks = part.sizeBytes / blockBytes
    if (this.#ids === undefined) return writer.part(part, { type, dims: [blocks, width] })
    const rows = shape[0]!
    const table = writer.part(part, { type, dims: [rows, blocks / rows, width] })
    return this.reshape(writer.op('Gather', [table, this.#ids]), [width])
  }
}

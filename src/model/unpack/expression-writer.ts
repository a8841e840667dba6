import { relative } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { TensorProtoSchema } from 'onnx-buf'
import type { SafetensorsDtype } from '../../files/checkpoint/safetensors-dtype.js'
import type { StoredPart, WeightExpression } from '../../files/checkpoint/weight-expression.js'
import { setExternalData } from '../graph/onnx/external-data.js'
import { GraphWriter } from '../graph/onnx/graph-writer.js'
import { DataType } from '../graph/onnx/onnx.js'

const PART_TYPES: Partial<Record<SafetensorsDtype, DataType>> = {
  F64: DataType.DOUBLE,
  F32: DataType.FLOAT,
  F16: DataType.FLOAT16,
  BF16: DataType.BFLOAT16,
  F8_E4M3: DataType.FLOAT8E4M3FN,
  F8_E5M2: DataType.FLOAT8E5M2,
  I32: DataType.INT32,
  I8: DataType.INT8,
  U8: DataType.UINT8,
}

/** Overrides of a part's type or shape. */
export interface View {
  type?: DataType
  dims?: number[]
}

/** What the writers of each kind of expression need; they write nested expressions through it. */
export abstract class ExpressionWriter extends GraphWriter {
  /** Initializers that are parts of files. */
  readonly parts = new Set<string>()
  readonly #folder: string

  /** @param folder real path that the graph's file references are relative to */
  constructor(folder: string) {
    super('packed:')
    this.#folder = folder
  }

  part(part: StoredPart, { type = PART_TYPES[part.dtype]!, dims = part.shape }: View = {}): string {
    const name = `packed:${part.name}@${part.offsetBytes}:${DataType[type]}[${dims}]`
    if (this.parts.has(name)) return name
    const tensor = create(TensorProtoSchema, { name, dataType: type, dims: dims.map(BigInt) })
    const { file, offsetBytes, sizeBytes } = part
    setExternalData(tensor, { location: relative(this.#folder, file), offsetBytes, sizeBytes })
    this.initializers.set(name, tensor)
    this.parts.add(name)
    return name
  }

  /** Shape constant for a tensor of `shape`, or of looked-up rows of it. */
  shape(shape: number[], ids: string | undefined): string {
    return this.integers(ids === undefined ? shape : [-1, ...shape.slice(1)])
  }

  /** A uint8 scalar. */
  byte(value: number): string {
    return this.bytes([value], [])
  }

  bytes(values: number[], shape: number[]): string {
    const name = `bytes[${shape}]:${values}`
    const tensor = create(TensorProtoSchema, {
      name,
      dataType: DataType.UINT8,
      dims: shape.map(BigInt),
      rawData: Uint8Array.from(values),
    })
    this.initializers.set(name, tensor)
    return name
  }

  cast(input: string, to: DataType): string {
    return this.op('Cast', [input], { to })
  }

  /**
   * Writes the nodes that compute an expression.
   * @param ids int64 [count]; if given, only these rows are computed, counted along the first axis
   * @returns float32 in the expression's shape, or [count, ...] of its rows
   */
  abstract expression(expression: WeightExpression, ids?: string): string
}

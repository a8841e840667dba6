import { create } from '@bufbuild/protobuf'
import { TensorProtoSchema } from 'onnx-buf'
import { encodeFloats } from '../../files/weights/encode-floats.js'
import { DataLocation, DataType, type TensorProto } from '../graph/onnx/onnx.js'
import { BLOCK_SIZE, type BlockBits, encodeBlocks } from './blocks.js'

/** Tensors of an exported graph that are computed together from one weight, and lie one after another in the file. */
export interface ExportedWeight {
  /** What they are computed from: a tensor of the graph that is exported. */
  source: string
  /** Of the source. */
  shape: number[]
  /** Whether its two axes are exchanged first. */
  isTransposed: boolean
  /** Without their bytes yet. */
  tensors: TensorProto[]
  sizeBytes: number
  /** @returns the bytes of all tensors @param values of the source, exchanged if they are to be */
  encode: (values: Float32Array) => Uint8Array[]
}

export type FloatType = DataType.FLOAT | DataType.FLOAT16

interface Source {
  source: string
  isTransposed?: boolean
  /** What its tensors are called, or what their names begin with. */
  name: string
  /** Once exchanged. */
  shape: number[]
}

export function makeFloats({ source, isTransposed = false, name, shape }: Source, type: FloatType): ExportedWeight {
  const isHalf = type === DataType.FLOAT16
  const tensor = makeTensor(name, type, shape)
  return {
    source,
    shape: isTransposed ? shape.toReversed() : shape,
    isTransposed,
    tensors: [tensor],
    sizeBytes: countOf(shape) * (isHalf ? 2 : 4),
    encode: (values) => [encodeFloats(values, { name, dtype: isHalf ? 'F16' : 'F32' })],
  }
}

/** A matrix [rows, width] as numbers of a few bits, with a factor for each block of a row: see `blocks.ts`. */
export function makeBlocks(
  { source, isTransposed = false, name, shape }: Source,
  { bits, scales }: { bits: BlockBits; scales: FloatType },
): ExportedWeight {
  const [rows, width] = shape as [number, number]
  const blocks = width / BLOCK_SIZE
  const blockBytes = (BLOCK_SIZE * bits) / 8
  const isHalf = scales === DataType.FLOAT16
  const tensors = [
    makeTensor(`${name}_quant`, DataType.UINT8, [rows, blocks, blockBytes]),
    makeTensor(`${name}_scales`, scales, [rows, blocks]),
  ]
  return {
    source,
    shape: isTransposed ? shape.toReversed() : shape,
    isTransposed,
    tensors,
    sizeBytes: rows * blocks * (blockBytes + (isHalf ? 2 : 4)),
    encode: (values) => {
      const { numbers, factors } = encodeBlocks(values, bits)
      return [numbers, encodeFloats(factors, { name, dtype: isHalf ? 'F16' : 'F32' })]
    },
  }
}

function makeTensor(name: string, dataType: DataType, shape: number[]): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dataType,
    dims: shape.map(BigInt),
    dataLocation: DataLocation.EXTERNAL,
  })
}

function countOf(shape: number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

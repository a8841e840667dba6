import { readFileSync } from 'node:fs'
import { idOfGgmlType } from '../../src/files/checkpoint/ggml-types.js'
import { readArray, readGgufHeader } from '../../src/files/gguf/header.js'

/** Values of metadata with their types, as a GGUF file states them. */
export type Value =
  | { type: 'uint8' | 'uint32' | 'float32' | 'bool' | 'string'; value: number | boolean | string }
  | { type: 'array'; elementType: 'uint32' | 'int32' | 'float32' | 'string' | 'bool'; value: unknown[] }

export interface Tensor {
  name: string
  /** The last axis first, as in the file. */
  sizes: number[]
  type: number
  bytes: Buffer
  /** If it is not where it belongs. */
  offset?: number
}

const TYPE_NUMBERS = { uint8: 0, uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 }
const ALIGNMENT = 32

export const text = (value: string): Value => ({ type: 'string', value })
export const count = (value: number): Value => ({ type: 'uint32', value })
export const real = (value: number): Value => ({ type: 'float32', value })
export const flag = (value: boolean): Value => ({ type: 'bool', value })
export const texts = (value: string[]): Value => ({ type: 'array', elementType: 'string', value })
export const counts = (value: number[]): Value => ({ type: 'array', elementType: 'uint32', value })
export const reals = (value: number[]): Value => ({ type: 'array', elementType: 'float32', value })

/** A GGUF file, right or wrong, as what its header says is. */
export function encodeGguf(
  metadata: Record<string, Value>,
  tensors: Tensor[] = [],
  { version = 3, keys = Object.entries(metadata), tensorCount = tensors.length } = {},
): Buffer {
  const parts = [
    Buffer.from('GGUF'),
    u32(version),
    u64(tensorCount),
    u64(keys.length),
    ...keys.flatMap(([key, value]) => [encodeText(key), u32(TYPE_NUMBERS[value.type]), encodeValue(value)]),
  ]
  let offset = 0
  for (const tensor of tensors) {
    const { name, sizes, type, bytes } = tensor
    parts.push(encodeText(name), u32(sizes.length), ...sizes.map(u64), u32(type), u64(tensor.offset ?? offset))
    offset += padded(bytes.length)
  }
  const header = Buffer.concat(parts)
  const data = tensors.map(({ bytes }) => fill(bytes, padded(bytes.length)))
  return tensors.length === 0 ? header : Buffer.concat([fill(header, padded(header.length)), ...data])
}

function encodeValue(value: Value): Buffer {
  if (value.type !== 'array') return encodeScalar(value.type, value.value)
  const { elementType, value: elements } = value
  const encoded = elements.map((element) => encodeScalar(elementType, element))
  return Buffer.concat([u32(TYPE_NUMBERS[elementType]), u64(elements.length), ...encoded])
}

function encodeScalar(type: keyof typeof TYPE_NUMBERS, value: unknown): Buffer {
  switch (type) {
    case 'string':
      return encodeText(String(value))
    case 'bool':
    case 'uint8':
      return Buffer.from([Number(value)])
    case 'float32': {
      const bytes = Buffer.alloc(4)
      bytes.writeFloatLE(Number(value))
      return bytes
    }
    default:
      return u32(Number(value))
  }
}

function encodeText(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([u64(bytes.length), bytes])
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

function padded(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT
}

function fill(bytes: Buffer, sizeBytes: number): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(sizeBytes - bytes.length)])
}

/** A GGUF file with some of its metadata changed; undefined removes a key. */
export async function changeGguf(path: string, changes: Record<string, Value | undefined>): Promise<Buffer> {
  const header = await readGgufHeader(path)
  const bytes = readFileSync(path)
  const stated = [...header.metadata].map(([key, { type, elementType, value }]): [string, Value] => [
    key,
    { type, value: value ?? readArray(header, key), ...(elementType !== null && { elementType }) } as Value,
  ])
  const changed = Object.entries({ ...Object.fromEntries(stated), ...changes })
  const metadata = Object.fromEntries(changed.flatMap(([key, value]) => (value ? [[key, value]] : [])))

  const tensors = [...header.tensors.values()].map(
    ({ name, shape, type, offsetBytes, sizeBytes }): Tensor => ({
      name,
      sizes: shape.toReversed(),
      type: idOfGgmlType(type.name),
      bytes: bytes.subarray(offsetBytes, offsetBytes + sizeBytes),
    }),
  )
  return encodeGguf(metadata, tensors)
}

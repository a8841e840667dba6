import { idOfGgmlType } from '../../checkpoint/ggml-types.js'
import type { GgufTensor } from '../header.js'
import { encodeScalar, numberOfType } from '../metadata-values.js'
import type { WrittenValue } from './written-value.js'

const MAGIC = 'GGUF'
const VERSION = 3
export const USUAL_ALIGNMENT = 32

/** A tensor of a file to write, without its offset. */
export interface WrittenTensor extends Pick<GgufTensor, 'name' | 'shape' | 'sizeBytes'> {
  /** Name of its type. */
  type: string
}

/** Bytes up to a multiple of the alignment. */
export function alignUp(bytes: number, alignment: number): number {
  return Math.ceil(bytes / alignment) * alignment
}

/** All that precedes the numbers of the tensors, in the current version and the usual alignment. */
export function encodeGgufHeader(metadata: ReadonlyMap<string, WrittenValue>, tensors: WrittenTensor[]): Uint8Array {
  const parts = [
    encodeStart({ version: VERSION, tensors: tensors.length, keys: metadata.size }),
    ...[...metadata].flatMap(([key, value]) => encodeEntry(key, value)),
    ...describeTensors(tensors, USUAL_ALIGNMENT),
  ]
  const lengthBytes = parts.reduce((sum, part) => sum + part.byteLength, 0)
  return Buffer.concat(parts, alignUp(lengthBytes, USUAL_ALIGNMENT))
}

/** The first bytes of a file: what it is, and how many keys and tensors it has. */
export function encodeStart({
  version,
  tensors,
  keys,
}: {
  version: number
  tensors: number
  keys: number
}): Uint8Array {
  return Buffer.concat([Buffer.from(MAGIC), encodeU32(version), encodeU64(tensors), encodeU64(keys)])
}

function encodeEntry(key: string, written: WrittenValue): Uint8Array[] {
  const start = [encodeString(key), encodeU32(numberOfType(written.type))]
  if (written.type !== 'array') return [...start, encodeScalar(written.type, written.value)]
  const { elementType, value } = written
  return [
    ...start,
    encodeU32(numberOfType(elementType)),
    encodeU64(value.length),
    ...value.map((element) => encodeScalar(elementType, element)),
  ]
}

/** Name, axes with the one of neighbours first, type and place of each. */
export function describeTensors(tensors: WrittenTensor[], alignment: number): Uint8Array[] {
  let offset = 0
  return tensors.flatMap(({ name, shape, type, sizeBytes }) => {
    const place = offset
    offset = alignUp(offset + sizeBytes, alignment)
    return [
      encodeString(name),
      encodeU32(shape.length),
      ...shape.toReversed().map(encodeU64),
      encodeU32(idOfGgmlType(type)),
      encodeU64(place),
    ]
  })
}

export function encodeString(text: string): Uint8Array {
  return encodeScalar('string', text)
}

export function encodeU32(value: number): Uint8Array {
  return encodeScalar('uint32', value)
}

export function encodeU64(value: number): Uint8Array {
  return encodeScalar('uint64', value)
}

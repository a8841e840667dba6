import { idOfGgmlType } from '../../../files/checkpoint/ggml-types.js'
import type { GgufHeader, GgufTensor } from '../../../files/gguf/header.js'
import { encodeInteger, type MetadataEntry, numberOfType } from '../../../files/gguf/metadata-values.js'
import type { FileRange } from '../../write-model/planned-file.js'

const MAGIC = 'GGUF'

/** An edit of a metadata value; values without one are copied. */
export type MetadataEdit =
  | { kind: 'value'; value: number }
  /** Elements of an array that are kept, by their numbers. */
  | { kind: 'elements'; kept: number[] }

/** A tensor of a file to write, without its offset. */
export interface WrittenTensor extends Pick<GgufTensor, 'name' | 'shape' | 'sizeBytes'> {
  /** Name of its type. */
  type: string
}

/** Bytes up to a multiple of the alignment. */
export function alignUp(bytes: number, alignment: number): number {
  return Math.ceil(bytes / alignment) * alignment
}

/** The header of a GGUF file with other tensors and edited metadata, in the same order and version. */
export function encodeHeader(
  { file, version, metadata, alignment }: GgufHeader,
  edits: ReadonlyMap<string, MetadataEdit>,
  tensors: WrittenTensor[],
): (Uint8Array | FileRange)[] {
  const start = Buffer.alloc(MAGIC.length + 4 + 8 + 8)
  start.write(MAGIC, 'latin1')
  start.writeUInt32LE(version, 4)
  start.writeBigUInt64LE(BigInt(tensors.length), 8)
  start.writeBigUInt64LE(BigInt(metadata.size), 16)
  const values = [...metadata].flatMap(([key, entry]) => encodeEntry(key, entry, edits.get(key), file))
  const parts = [start, ...values, ...describeTensors(tensors, alignment)]
  const lengthBytes = parts.reduce((sum, part) => sum + sizeOf(part), 0)
  return [...parts, Buffer.alloc(alignUp(lengthBytes, alignment) - lengthBytes)]
}

function sizeOf(part: Uint8Array | FileRange): number {
  return part instanceof Uint8Array ? part.byteLength : part.sizeBytes
}

function encodeEntry(
  key: string,
  { type, elementType, count, startBytes, endBytes }: MetadataEntry,
  edit: MetadataEdit | undefined,
  file: string,
): (Uint8Array | FileRange)[] {
  const range = (start: number, end: number): FileRange => ({
    file,
    offsetBytes: start,
    sizeBytes: end - start,
  })
  const name = encodeString(key)
  if (elementType === null) {
    const value = edit?.kind === 'value' ? encodeInteger(type, edit.value) : range(startBytes, endBytes)
    return [name, encodeU32(numberOfType(type)), value]
  }
  const kept = edit?.kind === 'elements' ? edit.kept : undefined
  const elementBytes = (endBytes - startBytes) / count
  const elements = kept?.map((index) =>
    range(startBytes + index * elementBytes, startBytes + (index + 1) * elementBytes),
  )
  return [
    name,
    encodeU32(numberOfType(type)),
    encodeU32(numberOfType(elementType)),
    encodeU64(kept?.length ?? count),
    ...(elements ?? [range(startBytes, endBytes)]),
  ]
}

/** Name, axes with the one of neighbours first, type and place of each. */
function describeTensors(tensors: WrittenTensor[], alignment: number): Uint8Array[] {
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

function encodeString(text: string): Uint8Array {
  const bytes = Buffer.from(text)
  return Buffer.concat([encodeU64(bytes.length), bytes])
}

function encodeU32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function encodeU64(value: number): Uint8Array {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

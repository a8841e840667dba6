import type { GgufHeader } from '../../../files/gguf/header.js'
import { encodeScalar, type MetadataEntry, numberOfType, type ValueType } from '../../../files/gguf/metadata-values.js'
import {
  alignUp,
  describeTensors,
  encodeStart,
  encodeString,
  encodeU32,
  encodeU64,
  type WrittenTensor,
} from '../../../files/gguf/write/encode.js'
import type { FileRange } from '../../write-model/planned-file.js'

/** An edit of a metadata value; values without one are copied. */
export type MetadataEdit =
  | { kind: 'value'; value: number }
  /** Elements of an array that are kept, by their numbers. */
  | { kind: 'elements'; kept: number[] }

/** The header of a GGUF file with other tensors and edited metadata, in the same order and version. */
export function encodeHeader(
  { file, version, metadata, alignment }: GgufHeader,
  edits: ReadonlyMap<string, MetadataEdit>,
  tensors: WrittenTensor[],
): (Uint8Array | FileRange)[] {
  const start = encodeStart({ version, tensors: tensors.length, keys: metadata.size })
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
    const value =
      edit?.kind === 'value'
        ? encodeScalar(type as Exclude<ValueType, 'array'>, edit.value)
        : range(startBytes, endBytes)
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

import { basename } from 'node:path'
import type { LocatedGguf } from '../../../engine/model.js'
import { findParts } from '../../../files/checkpoint/gguf-names.js'
import type { GgufTensor } from '../../../files/gguf/header.js'
import { alignUp, type WrittenTensor } from '../../../files/gguf/write/encode.js'
import { encodeFloats } from '../../../files/weights/encode-floats.js'
import type { Replacement } from '../../../files/weights/replacement.js'
import { REPLACED_DTYPE } from '../../../model/graph/replace-weights.js'
import type { PlannedFile } from '../../write-model/planned-file.js'
import { encodeHeader, type MetadataEdit } from './encode-header.js'

export interface KeptGgufTensor {
  name: string
  source: GgufTensor
}

/** Types in which new values are written as they were stored; packed ones become bfloat16. */
const KEPT_TYPES = ['F32', 'F16', 'BF16'] as const
const BYTES = { F32: 4, F16: 2, BF16: 2 }

/**
 * The files of a pruned model: as many as it was split over, without those that no tensor is left in. The first holds
 * the metadata and is always written.
 * @param edits of the metadata, by their keys
 * @param replacements by the names of the whole model
 */
export function planGgufParts(
  { name, file: { headers } }: LocatedGguf,
  kept: KeptGgufTensor[],
  edits: ReadonlyMap<string, MetadataEdit>,
  replacements: ReadonlyMap<string, Replacement>,
): PlannedFile[] {
  const parts = headers
    .map((header) => ({ header, tensors: kept.filter(({ source }) => source.file === header.file) }))
    .filter(({ tensors }, index) => index === 0 || tensors.length > 0)
  return parts.map(({ header, tensors }, index) => {
    const own = new Map([...edits, ...countParts(index, parts.length, kept.length)])
    const present = new Map([...own].filter(([key]) => header.metadata.has(key)))
    const written = tensors.map((tensor) => planTensor(tensor, replacements.get(tensor.source.name)))
    return {
      name: nameGgufPart(basename(name), index, parts.length),
      parts: [
        ...encodeHeader(header, present, written),
        ...written.flatMap(({ content, sizeBytes }) => {
          const gap = alignUp(sizeBytes, header.alignment) - sizeBytes
          return gap === 0 ? [content] : [content, new Uint8Array(gap)]
        }),
      ],
    }
  })
}

function countParts(index: number, count: number, tensors: number): [string, MetadataEdit][] {
  return [
    ['split.no', { kind: 'value', value: index }],
    ['split.count', { kind: 'value', value: count }],
    ['split.tensors.count', { kind: 'value', value: tensors }],
  ]
}

function nameGgufPart(name: string, index: number, count: number): string {
  const isSplit = findParts(name).length > 1
  if (!isSplit) return name
  const stem = name.replace(/-\d{5}-of-\d{5}\.gguf$/, '')
  if (count === 1) return `${stem}.gguf`
  const [number, total] = [index + 1, count].map((value) => `${value}`.padStart(5, '0'))
  return `${stem}-${number}-of-${total}.gguf`
}

type PlannedTensor = WrittenTensor & { content: PlannedFile['parts'][number] }

function planTensor({ name, source }: KeptGgufTensor, replacement: Replacement | undefined): PlannedTensor {
  const { shape, type } = source
  if (replacement === undefined) {
    const { file, offsetBytes, sizeBytes } = source
    return { name, shape, sizeBytes, type: type.name, content: { file, offsetBytes, sizeBytes } }
  }
  const dtype = KEPT_TYPES.find((kept) => kept === type.name) ?? REPLACED_DTYPE
  const sizeBytes = replacement.data.length * BYTES[dtype]
  const make = () => encodeFloats(replacement.data, { name, dtype })
  return { name, shape, sizeBytes, type: dtype, content: { sizeBytes, make } }
}

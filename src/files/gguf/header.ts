import { closeSync, fstatSync, openSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { LayerpruneError } from '../../base/errors.js'
import { assertRegularFile } from '../../base/regular-file.js'
import { GGML_TYPES, type GgmlType } from '../checkpoint/ggml-types.js'
import { unreadable } from '../checkpoint/model-file.js'
import { quoteName } from '../checkpoint/safetensors-header.js'
import { FileCursor } from './file-cursor.js'
import { type MetadataEntry, readElements, readEntry, type Scalar } from './metadata-values.js'

/** 'GGUF', little-endian. */
const MAGIC = 0x46554747
const VERSIONS = [2, 3]
/** Real models have dozens of keys and thousands of tensors. */
const MOST_KEYS = 10_000
const MOST_TENSORS = 100_000
const MOST_KEY_BYTES = 65_535
const MOST_NAME_BYTES = 255
const MOST_AXES = 4
const USUAL_ALIGNMENT = 32
const MOST_ALIGNMENT = 1 << 20
/** Least bytes of a key with its value, and of the description of a tensor. */
const LEAST_KEY_BYTES = 13
const LEAST_TENSOR_BYTES = 24

/** Where one tensor's bytes are, and how its numbers are stored. */
export interface GgufTensor {
  name: string
  type: GgmlType
  /** As elsewhere, the axis whose numbers are neighbours last; a file has them in reverse. */
  shape: number[]
  /** Real path, symlinks resolved. */
  file: string
  /** From the start of the file. */
  offsetBytes: number
  sizeBytes: number
  /** Its numbers, if the file is still to be written and they say how to compute. */
  values?: Float32Array
}

export interface GgufHeader {
  /** Real path, symlinks resolved. */
  file: string
  version: number
  /** In the order of the file. */
  metadata: Map<string, MetadataEntry>
  /** In the order of the file. */
  tensors: Map<string, GgufTensor>
  alignment: number
  /** Offset of the first tensor's description in the file. */
  tensorsStart: number
  /** Where the numbers of the tensors begin. */
  dataStart: number
  sizeBytes: number
}

/**
 * Reads the header of a GGUF file, never its weights, and checks all of it: each tensor lies after the one before it,
 * aligned, and within the file. Of big-endian files and of version 1 it says what they are.
 *
 * @throws LayerpruneError if the file cannot be read, is malformed or is truncated
 * @see https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
export async function readGgufHeader(path: string): Promise<GgufHeader> {
  const file = await realpath(path).catch((cause) => {
    throw unreadable(path, cause)
  })
  await assertRegularFile(file)
  return withCursor(file, (cursor) => parseHeader(cursor, file))
}

/** The elements of an array of any length; throws LayerpruneError if the file can no longer be read. */
export function readArray({ file, metadata }: GgufHeader, key: string): Scalar[] | undefined {
  const entry = metadata.get(key)
  if (entry === undefined || entry.elementType === null) return undefined
  if (Array.isArray(entry.value)) return entry.value
  return withCursor(file, (cursor) => readElements(cursor, entry, quoteName(key), (what) => malformed(file, what)))
}

function withCursor<T>(file: string, read: (cursor: FileCursor) => T): T {
  const descriptor = open(file)
  try {
    const stats = fstatSync(descriptor)
    if (!stats.isFile()) throw malformed(file, 'expected a file, found a folder')
    return read(
      new FileCursor(descriptor, stats.size, {
        malformed: (what) => malformed(file, what),
        truncated: (expectedBytes) => truncated(file, expectedBytes, stats.size),
      }),
    )
  } finally {
    closeSync(descriptor)
  }
}

function open(file: string): number {
  try {
    return openSync(file, 'r')
  } catch (cause) {
    throw unreadable(file, cause as Error)
  }
}

function parseHeader(cursor: FileCursor, file: string): GgufHeader {
  const refuse = (what: string) => malformed(file, what)
  const version = readVersion(cursor, file)
  const tensorCount = cursor.length('its number of tensors', LEAST_TENSOR_BYTES)
  if (tensorCount > MOST_TENSORS) {
    throw refuse(`it has ${tensorCount} tensors, expected at most ${MOST_TENSORS}`)
  }
  const keyCount = cursor.length('its number of keys', LEAST_KEY_BYTES)
  if (keyCount > MOST_KEYS) throw refuse(`it has ${keyCount} keys, expected at most ${MOST_KEYS}`)
  const metadata = new Map<string, MetadataEntry>()
  for (let index = 0; index < keyCount; index++) {
    const key = cursor.string('a key', MOST_KEY_BYTES)
    if (metadata.has(key)) throw refuse(`it has the key ${quoteName(key)} twice`)
    metadata.set(key, readEntry(cursor, quoteName(key), refuse))
  }
  const tensorsStart = cursor.position
  const stated = Array.from({ length: tensorCount }, () => readTensor(cursor, refuse))
  const alignment = readAlignment(metadata, refuse)
  const dataStart = alignUp(cursor.position, alignment)
  const tensors = placeTensors(stated, { file, alignment, dataStart, sizeBytes: cursor.sizeBytes })
  return { file, version, metadata, tensors, alignment, tensorsStart, dataStart, sizeBytes: cursor.sizeBytes }
}

function readVersion(cursor: FileCursor, file: string): number {
  const magic = cursor.u32()
  if (magic !== MAGIC) throw malformed(file, "it does not start with 'GGUF'")
  const version = cursor.u32()
  if (VERSIONS.includes(version)) return version
  const isBigEndian = version !== 0 && (version & 0xffff) === 0
  throw new LayerpruneError(
    isBigEndian
      ? `${file} is a big-endian GGUF file, which cannot be read`
      : `${file} is a GGUF file of version ${version}, expected ${VERSIONS.join(' or ')}`,
    {
      hint: isBigEndian
        ? 'use the little-endian file of the model'
        : 'convert the model again with a current llama.cpp',
    },
  )
}

type StatedTensor = Pick<GgufTensor, 'name' | 'type' | 'shape' | 'sizeBytes'> & {
  /** From the start of the numbers. */
  offset: bigint
}

function readTensor(cursor: FileCursor, refuse: (what: string) => Error): StatedTensor {
  const name = cursor.string('the name of a tensor', MOST_NAME_BYTES)
  const where = `tensor ${quoteName(name)}`
  const axes = cursor.u32()
  if (axes > MOST_AXES) throw refuse(`${where} has ${axes} axes, expected at most ${MOST_AXES}`)
  const sizes = Array.from({ length: axes }, () => cursor.u64()).reverse()
  const typeNumber = cursor.u32()
  const offset = cursor.u64()
  const type = GGML_TYPES.get(typeNumber)
  if (type === undefined) throw refuse(`${where} has the unknown type ${typeNumber}`)
  const rowLength = sizes.at(-1) ?? 1n
  if (rowLength % BigInt(type.numbers) !== 0n) {
    throw refuse(
      `${where} has rows of ${rowLength}, expected a multiple of the ${type.numbers} in a block of ${type.name}`,
    )
  }
  const count = sizes.reduce((product, size) => product * size, 1n)
  const bytes = (count / BigInt(type.numbers)) * BigInt(type.bytes)
  if (bytes > BigInt(cursor.sizeBytes)) {
    throw refuse(`${where} takes ${bytes} bytes, more than the file has`)
  }
  return { name, type, shape: sizes.map(Number), offset, sizeBytes: Number(bytes) }
}

function readAlignment(metadata: Map<string, MetadataEntry>, refuse: (what: string) => Error): number {
  const value = metadata.get('general.alignment')?.value ?? USUAL_ALIGNMENT
  if (typeof value === 'number' && value > 0 && value <= MOST_ALIGNMENT && (value & (value - 1)) === 0) {
    return value
  }
  throw refuse(`its alignment is ${String(value)}, expected a power of two of at most ${MOST_ALIGNMENT}`)
}

/** As in llama.cpp, tensors follow each other without gaps but those of the alignment. */
function placeTensors(
  stated: StatedTensor[],
  { file, alignment, dataStart, sizeBytes }: Pick<GgufHeader, 'file' | 'alignment' | 'dataStart' | 'sizeBytes'>,
): Map<string, GgufTensor> {
  const tensors = new Map<string, GgufTensor>()
  let expected = 0
  for (const { offset, ...tensor } of stated) {
    const where = `tensor ${quoteName(tensor.name)}`
    if (tensors.has(tensor.name)) throw malformed(file, `it has ${where} twice`)
    if (offset !== BigInt(expected)) {
      throw malformed(file, `${where} begins at byte ${offset} of the weights, expected ${expected}`)
    }
    const offsetBytes = dataStart + expected
    const end = offsetBytes + tensor.sizeBytes
    if (end > sizeBytes) throw truncated(file, end, sizeBytes)
    tensors.set(tensor.name, { ...tensor, file, offsetBytes })
    expected = alignUp(expected + tensor.sizeBytes, alignment)
  }
  return tensors
}

function alignUp(bytes: number, alignment: number): number {
  return Math.ceil(bytes / alignment) * alignment
}

function malformed(path: string, what: string): LayerpruneError {
  return damagedGguf(`${path} is not a valid GGUF file: ${what}`)
}

/** The error for a file whose content cannot be right. */
export function damagedGguf(message: string): LayerpruneError {
  return new LayerpruneError(message, { hint: 'download or convert the file again' })
}

function truncated(path: string, expectedBytes: number, foundBytes: number): LayerpruneError {
  return new LayerpruneError(`${path} is truncated: expected at least ${expectedBytes} bytes, found ${foundBytes}`, {
    hint: 'download or copy the file again',
  })
}

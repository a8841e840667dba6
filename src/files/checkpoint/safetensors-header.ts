import type { FileHandle } from 'node:fs/promises'
import { LayerpruneError } from '../../base/errors.js'
import { isObject } from '../../base/is-object.js'
import { readExactly } from '../read-exactly.js'
import { assertNoPointer, withModelFile } from './model-file.js'
import { DTYPE_BITS, type SafetensorsDtype } from './safetensors-dtype.js'
import type { StoredPart, WeightExpression } from './weight-expression.js'

/** The format's own limit on the header's length. */
const MAX_HEADER_BYTES = 100_000_000
/** The first 8 bytes: header length, little-endian uint64. */
const LENGTH_BYTES = 8

/** Where one tensor's bytes are. */
export interface TensorLocation extends StoredPart {
  /** What the tensor is computed from if it is not stored as plain numbers; the bytes are then those of its codes. */
  expression?: WeightExpression
}

export interface SafetensorsHeader {
  /** Real path, symlinks resolved. */
  file: string
  /** By name, in the order of their bytes in the file. */
  tensors: Map<string, TensorLocation>
  metadata: Record<string, string>
}

interface Entry {
  name: string
  dtype: SafetensorsDtype
  shape: number[]
  /** From the end of the header. */
  begin: number
  /** exclusive */
  end: number
}

/**
 * Reads the header of a .safetensors file, never its weights, and checks all of it: the tensors it gives lie
 * one after the other, without overlap or hole, from the end of the header to the end of the file.
 *
 * @throws LayerpruneError if the file cannot be read, is malformed or is truncated
 * @see https://github.com/huggingface/safetensors#format
 */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsHeader> {
  return withModelFile(path, async (handle, file) => {
    const stats = await handle.stat()
    if (!stats.isFile()) throw malformed(path, 'expected a file, found a folder')
    const { json, dataStart } = await readHeaderText(handle, stats.size, path)
    const { entries, metadata } = parseHeader(json, path)
    checkContiguous(entries, dataStart, stats.size, path)
    const tensors = new Map<string, TensorLocation>()
    for (const { name, dtype, shape, begin, end } of entries) {
      tensors.set(name, { name, dtype, shape, file, offsetBytes: dataStart + begin, sizeBytes: end - begin })
    }
    return { file, tensors, metadata }
  })
}

/** A name from a file as messages show it: on one line, and cut to the length of a line. */
export function quoteName(name: string): string {
  return JSON.stringify(name.length > 120 ? `${name.slice(0, 120)}…` : name)
}

/** Keys that occur more than once in the outermost object of a JSON text: JSON.parse keeps the last of them. */
function findDuplicateKeys(json: string): string[] {
  const seen = new Set<string>()
  const duplicates = new Set<string>()
  let depth = 0
  let lastString = ''
  for (let at = 0; at < json.length; at++) {
    const char = json[at]
    if (char === '{' || char === '[') depth++
    else if (char === '}' || char === ']') depth--
    else if (char === '"') {
      const start = at
      for (at++; json[at] !== '"'; at++) if (json[at] === '\\') at++
      if (depth === 1) lastString = json.slice(start, at + 1)
    } else if (char === ':' && depth === 1) {
      const key: string = JSON.parse(lastString)
      if (seen.has(key)) duplicates.add(key)
      seen.add(key)
    }
  }
  return [...duplicates]
}

async function readHeaderText(handle: FileHandle, fileBytes: number, path: string) {
  if (fileBytes < LENGTH_BYTES) {
    throw malformed(path, `expected at least ${LENGTH_BYTES} bytes, found ${fileBytes}`)
  }
  const start = await readBytes(handle, 0, LENGTH_BYTES, path)
  assertNoPointer(start, path)
  const headerBytes = start.readBigUInt64LE()
  if (headerBytes > MAX_HEADER_BYTES) {
    throw malformed(path, `its header length is ${headerBytes}, expected at most ${MAX_HEADER_BYTES} bytes`)
  }
  const dataStart = LENGTH_BYTES + Number(headerBytes)
  if (dataStart > fileBytes) throw truncated(path, dataStart, fileBytes)
  const bytes = await readBytes(handle, LENGTH_BYTES, Number(headerBytes), path)
  if (bytes[0] !== '{'.charCodeAt(0)) throw malformed(path, "its header does not start with '{'")
  try {
    return { json: new TextDecoder('utf-8', { fatal: true }).decode(bytes), dataStart }
  } catch (cause) {
    throw malformed(path, 'its header is not UTF-8', cause)
  }
}

async function readBytes(handle: FileHandle, position: number, length: number, path: string) {
  const buffer = Buffer.alloc(length)
  await readExactly(handle, buffer, position, (endBytes) => truncated(path, position + length, endBytes))
  return buffer
}

/** @returns the entries in the order of their bytes, each consistent in itself */
function parseHeader(json: string, path: string): { entries: Entry[]; metadata: Record<string, string> } {
  let header: unknown
  try {
    header = JSON.parse(json)
  } catch (cause) {
    throw malformed(path, 'its header is not valid JSON', cause)
  }
  if (!isObject(header)) throw malformed(path, 'its header is not a JSON object')
  const [duplicate] = findDuplicateKeys(json)
  if (duplicate !== undefined) throw malformed(path, `its header names ${quoteName(duplicate)} twice`)

  const entries: Entry[] = []
  let metadata: Record<string, string> = {}
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') metadata = parseMetadata(value, path)
    else entries.push(parseEntry(name, value, path))
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end)
  return { entries, metadata }
}

function parseMetadata(value: unknown, path: string): Record<string, string> {
  if (!isObject(value)) throw malformed(path, '__metadata__ is not an object of strings')
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') throw malformed(path, `__metadata__ ${quoteName(key)} is not a string`)
  }
  return value as Record<string, string>
}

function parseEntry(name: string, value: unknown, path: string): Entry {
  const where = `tensor ${quoteName(name)}`
  if (!isObject(value)) throw malformed(path, `${where} is not described by an object`)
  const { dtype, shape, data_offsets: offsets } = value
  if (typeof dtype !== 'string' || !Object.hasOwn(DTYPE_BITS, dtype)) {
    throw malformed(path, `${where} has the unknown dtype ${describe(dtype)}`)
  }
  if (!isSizes(shape)) throw malformed(path, `${where} has the shape ${describe(shape)}, expected sizes`)
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) {
    throw malformed(path, `${where} has the data_offsets ${describe(offsets)}, expected [begin, end]`)
  }
  const [begin, end] = offsets as [number, number]
  const bits = shape.reduce((product, size) => product * BigInt(size), BigInt(DTYPE_BITS[dtype as 'F32']))
  if (bits !== 8n * BigInt(end - begin)) {
    const expected = `${dtype} ${describe(shape)}, ${bits / 8n} bytes`
    throw malformed(path, `${where} is ${expected}, but its data_offsets hold ${end - begin}`)
  }
  return { name, dtype: dtype as SafetensorsDtype, shape, begin, end }
}

function checkContiguous(entries: Entry[], dataStart: number, fileBytes: number, path: string): void {
  let end = 0
  let before = 'the header'
  for (const entry of entries) {
    const name = `tensor ${quoteName(entry.name)}`
    if (entry.begin < end) throw malformed(path, `${name} overlaps ${before}`)
    if (entry.begin > end) {
      throw malformed(path, `${entry.begin - end} bytes between ${before} and ${name} belong to no tensor`)
    }
    end = entry.end
    before = name
  }
  if (dataStart + end > fileBytes) throw truncated(path, dataStart + end, fileBytes)
  if (dataStart + end < fileBytes) {
    throw malformed(path, `${fileBytes - dataStart - end} bytes after ${before} belong to no tensor`)
  }
}

/** Shapes and offsets: at most 64 non-negative safe integers. */
function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= 64 && value.every((n) => Number.isSafeInteger(n) && n >= 0)
}

function describe(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (isObject(value)) return 'an object'
  if (!Array.isArray(value)) return quoteName(String(value))
  return value.length <= 64 && value.every((n) => typeof n === 'number') ? JSON.stringify(value) : 'an array'
}

function malformed(path: string, what: string, cause?: unknown): LayerpruneError {
  return new LayerpruneError(`${path} is not a valid safetensors file: ${what}`, {
    hint: 'download or save the file again',
    cause,
  })
}

function truncated(path: string, expectedBytes: number, foundBytes: number): LayerpruneError {
  return new LayerpruneError(`${path} is truncated: expected ${expectedBytes} bytes, found ${foundBytes}`, {
    hint: 'download or copy the file again',
  })
}

import type { FileCursor } from './file-cursor.js'

/** Types of metadata by the number that a file has for them, with the bytes of one value; a string's are its least. */
const VALUE_TYPES = [
  ['uint8', 1],
  ['int8', 1],
  ['uint16', 2],
  ['int16', 2],
  ['uint32', 4],
  ['int32', 4],
  ['float32', 4],
  ['bool', 1],
  ['string', 8],
  ['array', 12],
  ['uint64', 8],
  ['int64', 8],
  ['float64', 8],
] as const

export type ValueType = (typeof VALUE_TYPES)[number][0]
export type Scalar = number | bigint | boolean | string

/** Where a value of the metadata lies, and the value unless it is a long array. */
export interface MetadataEntry {
  type: ValueType
  /** Of an array; null for a single value. */
  elementType: ValueType | null
  /** Undefined for an array of more than `LONG_ARRAY` elements, which `readArray` reads when it is needed. */
  value: Scalar | Scalar[] | undefined
  /** Elements of an array; 1 for a single value. */
  count: number
  /** Of the value, or of an array's first element, from the start of the file. */
  startBytes: number
  /** exclusive */
  endBytes: number
}

/** Elements of a longer array, such as the vocabulary, are read only when they are needed. */
const LONG_ARRAY = 4096
/** A chat template has some kilobytes. */
const MOST_STRING_BYTES = 1 << 24
const MOST_ELEMENTS = 1 << 24

/**
 * Reads a value with its type, from where the type is stated.
 * @throws LayerpruneError if the type is unknown, or an array is of arrays or longer than the file
 */
export function readEntry(cursor: FileCursor, what: string, refuse: (what: string) => Error): MetadataEntry {
  const type = readType(cursor, what, refuse)
  if (type !== 'array') {
    const startBytes = cursor.position
    const value = readScalar(cursor, type, what, refuse)
    return { type, elementType: null, value, count: 1, startBytes, endBytes: cursor.position }
  }
  const elementType = readType(cursor, `${what}, of an array,`, refuse)
  if (elementType === 'array') throw refuse(`${what} is an array of arrays`)
  const count = cursor.length(`the length of ${what}`, sizeOf(elementType))
  if (count > MOST_ELEMENTS) throw refuse(`${what} has ${count} elements, expected at most ${MOST_ELEMENTS}`)
  const startBytes = cursor.position
  const value =
    count > LONG_ARRAY
      ? skipElements(cursor, elementType, count, what)
      : Array.from({ length: count }, () => readScalar(cursor, elementType, what, refuse))
  return { type, elementType, value, count, startBytes, endBytes: cursor.position }
}

/** The elements of an array that was too long to be read with the header. */
export function readElements(
  cursor: FileCursor,
  { elementType, count, startBytes }: MetadataEntry,
  what: string,
  refuse: (what: string) => Error,
): Scalar[] {
  cursor.position = startBytes
  return Array.from({ length: count }, () => readScalar(cursor, elementType!, what, refuse))
}

function readType(cursor: FileCursor, what: string, refuse: (what: string) => Error): ValueType {
  const number = cursor.u32()
  const type = VALUE_TYPES[number]
  if (type === undefined) throw refuse(`${what} has the unknown type ${number}`)
  return type[0]
}

/** The number that a file has for a type. */
export function numberOfType(type: ValueType): number {
  return VALUE_TYPES.findIndex(([name]) => name === type)
}

/** A whole number as a file holds it. */
export function encodeInteger(type: ValueType, value: number): Uint8Array {
  const bytes = Buffer.alloc(sizeOf(type))
  if (type === 'uint64' || type === 'int64') bytes.writeBigInt64LE(BigInt(value))
  else if (type.startsWith('u')) bytes.writeUIntLE(value, 0, bytes.length)
  else bytes.writeIntLE(value, 0, bytes.length)
  return bytes
}

function sizeOf(type: ValueType): number {
  return VALUE_TYPES.find(([name]) => name === type)![1]
}

function skipElements(cursor: FileCursor, type: ValueType, count: number, what: string): undefined {
  if (type !== 'string') {
    cursor.skip(count * sizeOf(type))
    return undefined
  }
  for (let element = 0; element < count; element++) cursor.skip(cursor.stringLength(what, MOST_STRING_BYTES))
  return undefined
}

function readScalar(
  cursor: FileCursor,
  type: ValueType,
  what: string,
  refuse: (what: string) => Error,
): Scalar {
  switch (type) {
    case 'uint8':
      return cursor.u8()
    case 'int8':
      return cursor.i8()
    case 'uint16':
      return cursor.u16()
    case 'int16':
      return cursor.i16()
    case 'uint32':
      return cursor.u32()
    case 'int32':
      return cursor.i32()
    case 'float32':
      return cursor.f32()
    case 'float64':
      return cursor.f64()
    case 'uint64':
      return asNumber(cursor.u64())
    case 'int64':
      return asNumber(cursor.i64())
    case 'string':
      return cursor.string(what, MOST_STRING_BYTES)
    case 'bool': {
      const byte = cursor.u8()
      if (byte > 1) throw refuse(`${what} is a flag of ${byte}, expected 0 or 1`)
      return byte === 1
    }
    case 'array':
      throw refuse(`${what} is an array of arrays`)
  }
}

/** A number if it is exact as one. */
function asNumber(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value
}

import type { FileCursor } from './file-cursor.js'

export type Scalar = number | bigint | boolean | string

type Refuse = (what: string) => Error
type ReadValue = (cursor: FileCursor, what: string, refuse: Refuse) => Scalar

/** Types of metadata by their id in a file: name, bytes of a value (at least, for strings and arrays), how it is read. */
const VALUE_TYPES = [
  ['uint8', 1, (cursor) => cursor.u8()],
  ['int8', 1, (cursor) => cursor.i8()],
  ['uint16', 2, (cursor) => cursor.u16()],
  ['int16', 2, (cursor) => cursor.i16()],
  ['uint32', 4, (cursor) => cursor.u32()],
  ['int32', 4, (cursor) => cursor.i32()],
  ['float32', 4, (cursor) => cursor.f32()],
  ['bool', 1, readFlag],
  ['string', 8, (cursor, what) => cursor.string(what, MOST_STRING_BYTES)],
  ['array', 12, refuseArray],
  ['uint64', 8, (cursor) => asNumber(cursor.u64())],
  ['int64', 8, (cursor) => asNumber(cursor.i64())],
  ['float64', 8, (cursor) => cursor.f64()],
] as const satisfies (readonly [string, number, ReadValue])[]

export type ValueType = (typeof VALUE_TYPES)[number][0]

/** Where a value of the metadata lies, and the value unless it is a long array. */
export interface MetadataEntry {
  type: ValueType
  /** Null unless it is an array. */
  elementType: ValueType | null
  /** Undefined for an array of more than `LONG_ARRAY` elements, which `readArray` reads when it is needed. */
  value: Scalar | Scalar[] | undefined
  /** Elements of an array; 1 for a single value. */
  count: number
  /** Offset in the file of the value, or of an array's first element. */
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
export function readEntry(cursor: FileCursor, what: string, refuse: Refuse): MetadataEntry {
  const type = readType(cursor, what, refuse)
  if (type !== 'array') {
    const startBytes = cursor.position
    const value = typeOf(type)[2](cursor, what, refuse)
    return { type, elementType: null, value, count: 1, startBytes, endBytes: cursor.position }
  }
  const elementType = readType(cursor, `${what}, of an array,`, refuse)
  if (elementType === 'array') refuseArray(cursor, what, refuse)
  const [, sizeBytes, read] = typeOf(elementType)
  const count = cursor.length(`the length of ${what}`, sizeBytes)
  if (count > MOST_ELEMENTS) throw refuse(`${what} has ${count} elements, expected at most ${MOST_ELEMENTS}`)
  const startBytes = cursor.position
  const value =
    count > LONG_ARRAY
      ? skipElements(cursor, elementType, count, what)
      : Array.from({ length: count }, () => read(cursor, what, refuse))
  return { type, elementType, value, count, startBytes, endBytes: cursor.position }
}

/** The elements of an array that was too long to be read with the header. */
export function readElements(
  cursor: FileCursor,
  { elementType, count, startBytes }: MetadataEntry,
  what: string,
  refuse: Refuse,
): Scalar[] {
  const [, , read] = typeOf(elementType!)
  cursor.position = startBytes
  return Array.from({ length: count }, () => read(cursor, what, refuse))
}

function readType(cursor: FileCursor, what: string, refuse: Refuse): ValueType {
  const number = cursor.u32()
  const type = VALUE_TYPES[number]
  if (type === undefined) throw refuse(`${what} has the unknown type ${number}`)
  return type[0]
}

/** Id of a type in a file. */
export function numberOfType(type: ValueType): number {
  return VALUE_TYPES.findIndex(([name]) => name === type)
}

/** A single value as a file holds it. */
export function encodeScalar(type: Exclude<ValueType, 'array'>, value: Scalar): Uint8Array {
  if (type === 'string') {
    const text = Buffer.from(String(value))
    return Buffer.concat([encodeScalar('uint64', text.length), text])
  }
  const bytes = Buffer.alloc(typeOf(type)[1])
  if (type === 'uint64') bytes.writeBigUInt64LE(BigInt(value))
  else if (type === 'int64') bytes.writeBigInt64LE(BigInt(value))
  else if (type === 'float32') bytes.writeFloatLE(Number(value))
  else if (type === 'float64') bytes.writeDoubleLE(Number(value))
  else if (type.startsWith('i')) bytes.writeIntLE(Number(value), 0, bytes.length)
  else bytes.writeUIntLE(Number(value), 0, bytes.length)
  return bytes
}

function typeOf(type: ValueType): readonly [name: string, sizeBytes: number, read: ReadValue] {
  return VALUE_TYPES.find(([name]) => name === type)!
}

function skipElements(cursor: FileCursor, type: ValueType, count: number, what: string): undefined {
  if (type !== 'string') {
    cursor.skip(count * typeOf(type)[1])
    return undefined
  }
  for (let element = 0; element < count; element++) cursor.skip(cursor.stringLength(what, MOST_STRING_BYTES))
  return undefined
}

function readFlag(cursor: FileCursor, what: string, refuse: Refuse): boolean {
  const byte = cursor.u8()
  if (byte > 1) throw refuse(`${what} is a flag of ${byte}, expected 0 or 1`)
  return byte === 1
}

function refuseArray(_: FileCursor, what: string, refuse: Refuse): never {
  throw refuse(`${what} is an array of arrays`)
}

/** A number if it is exact as one. */
function asNumber(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value
}

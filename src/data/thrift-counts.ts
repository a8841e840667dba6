/** Types of Thrift's compact protocol that have a size or parts. */
const TRUE = 1
const FALSE = 2
const BYTE = 3
const DOUBLE = 7
const BINARY = 8
const LIST = 9
const STRUCT = 12
const VARINTS = [4, 5, 6]

/** Structures of Parquet nest less than ten deep. */
const MAX_DEPTH = 64

/**
 * Checks a structure in Thrift's compact protocol, in which Parquet's footer and page headers are
 * written: no list is longer than its bytes allow. The decoder reserves memory for a list before it looks.
 * @param start  where the structure begins
 * @returns where it ends
 * @throws Error if a length is impossible, or the bytes end before the structure does
 */
export function assertThriftCounts(bytes: Uint8Array, start: number): number {
  let offset = start

  function readByte(): number {
    if (offset >= bytes.length) throw new Error('corrupt: it ends within a structure')
    return bytes[offset++]!
  }

  function readVarint(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = readByte()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
  }

  function skip(length: number): void {
    if (length > bytes.length - offset) {
      throw new Error(`corrupt: a length of ${length}, but only ${bytes.length - offset} bytes are left`)
    }
    offset += length
  }

  function readStructure(depth: number): void {
    if (depth > MAX_DEPTH) throw new Error(`corrupt: structures nested more than ${MAX_DEPTH} deep`)
    for (let header = readByte(); (header & 0x0f) !== 0; header = readByte()) {
      if (header >> 4 === 0) readVarint()
      const type = header & 0x0f
      // the value of a flag is its type
      if (type !== TRUE && type !== FALSE) readValue(type, depth)
    }
  }

  function readValue(type: number, depth: number): void {
    if (type === STRUCT) readStructure(depth + 1)
    else if (type === LIST) readList(depth + 1)
    else if (type === BINARY) skip(readVarint())
    else if (type === DOUBLE) skip(8)
    else if (VARINTS.includes(type)) readVarint()
    else if (type === BYTE || type === TRUE || type === FALSE) readByte()
    else throw new Error(`corrupt: a value of type ${type}`)
  }

  function readList(depth: number): void {
    if (depth > MAX_DEPTH) throw new Error(`corrupt: structures nested more than ${MAX_DEPTH} deep`)
    const header = readByte()
    const count = header >> 4 === 15 ? readVarint() : header >> 4
    if (count > bytes.length - offset) {
      throw new Error(`corrupt: a list of ${count}, but only ${bytes.length - offset} bytes are left`)
    }
    for (let i = 0; i < count; i++) readValue(header & 0x0f, depth)
  }

  readStructure(0)
  return offset
}

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
  const reader = new ThriftReader(bytes, start)
  reader.readStructure(0)
  return reader.offset
}

class ThriftReader {
  readonly #bytes: Uint8Array
  /** Offset of the byte that is read next. */
  offset: number

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes
    this.offset = start
  }

  readStructure(depth: number): void {
    assertDepth(depth)
    for (let header = this.#readByte(); (header & 0x0f) !== 0; header = this.#readByte()) {
      if (header >> 4 === 0) this.#readVarint()
      const type = header & 0x0f
      // the value of a flag is its type
      if (type !== TRUE && type !== FALSE) this.#readValue(type, depth)
    }
  }

  #readValue(type: number, depth: number): void {
    if (type === STRUCT) this.readStructure(depth + 1)
    else if (type === LIST) this.#readList(depth + 1)
    else if (type === BINARY) this.#skip(this.#readVarint())
    else if (type === DOUBLE) this.#skip(8)
    else if (VARINTS.includes(type)) this.#readVarint()
    else if (type === BYTE || type === TRUE || type === FALSE) this.#readByte()
    else throw new Error(`corrupt: a value of type ${type}`)
  }

  #readList(depth: number): void {
    assertDepth(depth)
    const header = this.#readByte()
    const count = header >> 4 === 15 ? this.#readVarint() : header >> 4
    if (count > this.#left) {
      throw new Error(`corrupt: a list of ${count}, but only ${this.#left} bytes are left`)
    }
    for (let i = 0; i < count; i++) this.#readValue(header & 0x0f, depth)
  }

  #readVarint(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#readByte()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
  }

  #readByte(): number {
    if (this.#left <= 0) throw new Error('corrupt: it ends within a structure')
    return this.#bytes[this.offset++]!
  }

  #skip(length: number): void {
    if (length > this.#left) {
      throw new Error(`corrupt: a length of ${length}, but only ${this.#left} bytes are left`)
    }
    this.offset += length
  }

  get #left(): number {
    return this.#bytes.length - this.offset
  }
}

function assertDepth(depth: number): void {
  if (depth > MAX_DEPTH) throw new Error(`corrupt: structures nested more than ${MAX_DEPTH} deep`)
}

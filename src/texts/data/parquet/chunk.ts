import type { AsyncBuffer } from 'hyparquet'
import { parquetHeader } from 'hyparquet/src/column.js'
import { assertThriftCounts } from './thrift-counts.js'

/** The first read of a column chunk; each later one is twice as long, so that few rows cost few bytes. */
const FIRST_READ_BYTES = 1 << 16
const MAX_READ_BYTES = 1 << 22
/** A page's header holds the minimum and maximum value, and is rarely longer. */
const HEADER_BYTES = 1 << 12

/** The bytes of a column chunk in order, read ahead in growing steps. */
export class ChunkBytes {
  #held = new Uint8Array(0)
  #position: number
  #readBytes = FIRST_READ_BYTES
  readonly #file: AsyncBuffer
  readonly #endByte: number

  /** @param endByte  exclusive */
  constructor(file: AsyncBuffer, { startByte, endByte }: { startByte: number; endByte: number }) {
    this.#file = file
    this.#position = startByte
    this.#endByte = endByte
  }

  get left(): number {
    return this.#held.length + this.#endByte - this.#position
  }

  async readHeader(): Promise<ReturnType<typeof parquetHeader>> {
    for (let needed = HEADER_BYTES; ; needed *= 2) {
      await this.#fill(Math.min(needed, this.left))
      const { buffer, byteOffset, byteLength } = this.#held
      const reader = { view: new DataView(buffer, byteOffset, byteLength), offset: 0 }
      try {
        assertThriftCounts(this.#held, 0)
        const header = parquetHeader(reader)
        this.#held = this.#held.subarray(reader.offset)
        return header
      } catch (cause) {
        if (this.#position >= this.#endByte) throw cause
      }
    }
  }

  async take(length: number): Promise<Uint8Array> {
    if (!(length >= 0 && length <= this.left)) {
      throw new Error(`a page of ${length} bytes, but only ${this.left} are left`)
    }
    await this.#fill(length)
    const taken = this.#held.subarray(0, length)
    this.#held = this.#held.subarray(length)
    return taken
  }

  async #fill(length: number): Promise<void> {
    if (this.#held.length >= length) return
    const missing = Math.max(length - this.#held.length, this.#readBytes)
    const end = Math.min(this.#position + missing, this.#endByte)
    const read = new Uint8Array(await this.#file.slice(this.#position, end))
    this.#position = end
    this.#readBytes = Math.min(2 * this.#readBytes, MAX_READ_BYTES)
    this.#held = this.#held.length === 0 ? read : new Uint8Array(Buffer.concat([this.#held, read]))
  }
}

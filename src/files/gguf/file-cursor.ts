import { readSync } from 'node:fs'
import type { LayerpruneError } from '../../base/errors.js'

/** Read at once: most headers are smaller. */
const WINDOW_BYTES = 1 << 20

/** How messages about a damaged file are made. */
export interface FileErrors {
  malformed(what: string): LayerpruneError
  truncated(expectedBytes: number): LayerpruneError
}

/** Reads little-endian numbers and strings in order through a window; synchronous, because there are many. */
export class FileCursor {
  readonly #file: number
  readonly #errors: FileErrors
  #window = Buffer.alloc(0)
  #windowStart = 0
  #at = 0
  /** Offset of the next byte. */
  position: number
  readonly sizeBytes: number

  /**
   * @param file  descriptor of an open file
   * @param sizeBytes  of the whole file
   */
  constructor(file: number, sizeBytes: number, errors: FileErrors, position = 0) {
    this.#file = file
    this.#errors = errors
    this.sizeBytes = sizeBytes
    this.position = position
  }

  u8 = (): number => this.#next(1).readUInt8(this.#at)
  i8 = (): number => this.#next(1).readInt8(this.#at)
  u16 = (): number => this.#next(2).readUInt16LE(this.#at)
  i16 = (): number => this.#next(2).readInt16LE(this.#at)
  u32 = (): number => this.#next(4).readUInt32LE(this.#at)
  i32 = (): number => this.#next(4).readInt32LE(this.#at)
  u64 = (): bigint => this.#next(8).readBigUInt64LE(this.#at)
  i64 = (): bigint => this.#next(8).readBigInt64LE(this.#at)
  f32 = (): number => this.#next(4).readFloatLE(this.#at)
  f64 = (): number => this.#next(8).readDoubleLE(this.#at)

  /** A length or count of 64 bits, of which the file must hold `unitBytes` for each. */
  length(what: string, unitBytes: number): number {
    const value = this.u64()
    const left = this.sizeBytes - this.position
    if (value * BigInt(unitBytes) <= BigInt(left)) return Number(value)
    throw this.#errors.malformed(`${what} is ${value}, more than the ${left} bytes that follow can hold`)
  }

  /** UTF-8 with its length in bytes before it; bytes that are not UTF-8 become U+FFFD. */
  string(what: string, mostBytes: number): string {
    const lengthBytes = this.stringLength(what, mostBytes)
    return this.#next(lengthBytes).toString('utf8', this.#at, this.#at + lengthBytes)
  }

  stringLength(what: string, mostBytes: number): number {
    const lengthBytes = this.length(`the length of ${what}`, 1)
    if (lengthBytes <= mostBytes) return lengthBytes
    throw this.#errors.malformed(`${what} has ${lengthBytes} bytes, expected at most ${mostBytes}`)
  }

  skip(bytes: number): void {
    this.position += bytes
  }

  /** @returns the window, in which the next bytes are at `#at` */
  #next(bytes: number): Buffer {
    this.#at = this.position - this.#windowStart
    if (this.#at < 0 || this.#at + bytes > this.#window.length) this.#move(bytes)
    this.position += bytes
    return this.#window
  }

  #move(bytes: number): void {
    const lengthBytes = Math.min(Math.max(bytes, WINDOW_BYTES), this.sizeBytes - this.position)
    if (lengthBytes < bytes) throw this.#errors.truncated(this.position + bytes)
    this.#window = Buffer.alloc(lengthBytes)
    this.#windowStart = this.position
    this.#at = 0
    for (let filled = 0; filled < lengthBytes; ) {
      const position = this.position + filled
      const read = readSync(this.#file, this.#window, filled, lengthBytes - filled, position)
      if (read === 0) throw this.#errors.truncated(this.position + lengthBytes)
      filled += read
    }
  }
}

import { once } from 'node:events'
import type { FileHandle } from 'node:fs/promises'
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { LayerpruneError } from '../../base/errors.js'
import type { DataSource, RandomAccessFile } from '../../files/byte-source.js'
import { readExactly } from '../../files/read-exactly.js'
import { cannotKeep, openTemporary } from './temporary-file.js'

const CHUNK_BYTES = 1 << 18
const WHAT = 'piped texts'

/** Data that come once, from a pipe, as a source to read again from a temporary file; taken only as requested. */
export class Spool implements DataSource {
  readonly name: string
  readonly #input: Readable
  #file: Promise<FileHandle> | undefined
  /** Kept so far. */
  #sizeBytes = 0
  #isEnded = false
  #growing: Promise<void> | undefined

  /** @param name  for messages and row origins */
  constructor(name: string, input: Readable) {
    this.name = name
    this.#input = input
    // reported to whoever reads next; without a listener it would end the process
    input.on('error', () => {})
    this.#rest()
  }

  async *readBytes(): AsyncGenerator<Uint8Array> {
    let offset = 0
    for (;;) {
      while (offset >= this.#sizeBytes) {
        if (this.#isEnded) return
        await this.#grow()
      }
      const chunk = await this.#read(offset, Math.min(offset + CHUNK_BYTES, this.#sizeBytes))
      offset += chunk.length
      yield chunk
    }
  }

  /** Reads the pipe to its end first. */
  async openRandomAccess(): Promise<RandomAccessFile> {
    while (!this.#isEnded) await this.#grow()
    return {
      byteLength: this.#sizeBytes,
      slice: async (start, end = this.#sizeBytes) =>
        new Uint8Array(await this.#read(start, Math.min(end, this.#sizeBytes))).buffer,
      close: async () => {},
    }
  }

  /** Gives up what was kept: nothing can be read after that. */
  async close(): Promise<void> {
    await (await this.#file)?.close()
  }

  /** Takes the next bytes from the pipe; readers that wait at once wait for the same ones. */
  #grow(): Promise<void> {
    this.#growing ??= this.#takeChunk().finally(() => {
      this.#growing = undefined
    })
    return this.#growing
  }

  async #takeChunk(): Promise<void> {
    const chunk = await this.#nextChunk()
    if (chunk === null) {
      this.#isEnded = true
      return
    }
    this.#file ??= openTemporary(WHAT)
    const file = await this.#file
    await file.appendFile(chunk).catch((cause: NodeJS.ErrnoException) => {
      throw cannotKeep(WHAT, cause)
    })
    this.#sizeBytes += chunk.length
  }

  /** @returns null at the end */
  async #nextChunk(): Promise<Uint8Array | null> {
    const input = this.#input as Readable & Partial<Socket>
    input.ref?.()
    try {
      for (;;) {
        const chunk: Uint8Array | null = input.read()
        if (chunk !== null) return chunk
        if (input.errored) throw input.errored
        if (input.readableEnded || input.destroyed) return null
        await nextEvent(input)
      }
    } catch (cause) {
      throw new LayerpruneError(`cannot read ${this.name}: ${(cause as NodeJS.ErrnoException).message}`, {
        cause,
      })
    } finally {
      this.#rest()
    }
  }

  /** A pipe that nobody reads does not keep the process alive. */
  #rest(): void {
    ;(this.#input as Readable & Partial<Socket>).unref?.()
  }

  /** @returns the bytes from `start` to `end` of what is kept */
  async #read(start: number, end: number): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafeSlow(end - start)
    const file = await this.#file!
    await readExactly(file, bytes, start, () => new LayerpruneError(`${this.name}: its temporary copy was cut short`))
    return bytes
  }
}

/** Waits until there is something to read, or will never be. */
async function nextEvent(input: Readable): Promise<void> {
  const waiting = new AbortController()
  const { signal } = waiting
  try {
    await Promise.race(['readable', 'end', 'close'].map((event) => once(input, event, { signal })))
  } finally {
    waiting.abort()
  }
}
